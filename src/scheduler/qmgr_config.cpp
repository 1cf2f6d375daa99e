#include "scheduler/qmgr_config.h"

#include <algorithm>
#include <string>
#include <vector>

#include "runtime/settings/near_name.h"

namespace posthaste {

namespace {

uint32_t number(int64_t value) noexcept {
    return static_cast<uint32_t>(std::clamp<int64_t>(value, 0, INT32_MAX));
}

FeedbackShare feedback_share(const Settings& settings, std::string_view transport,
                             std::string_view suffix, Log& log) {
    const std::string text = settings.text_for_transport(transport, suffix);
    if (const auto share = FeedbackShare::parse(text)) return *share;
    log.warning("bad value \"" + text + "\" for " + std::string(transport) + "_" +
                std::string(suffix) + ", taken as 1");
    return {};
}

}  // namespace

SchedulerConfig scheduler_config(const Settings& settings) {
    SchedulerConfig config;
    config.active_limit = number(settings.integer("qmgr_message_active_limit"));
    config.backoff = {settings.time_us("minimal_backoff_time"),
                      settings.time_us("maximal_backoff_time")};
    config.lifetime_us = settings.time_us("maximal_queue_lifetime");
    // As in Postfix: reports are not kept longer than mail.
    config.null_sender_lifetime_us =
        std::min(config.lifetime_us, settings.time_us("bounce_queue_lifetime"));
    config.lane_idle_us = settings.time_us("smtp_connection_cache_time_limit");
    config.lane_depth = number(settings.integer("lane_depth"));
    return config;
}

TransportConfig transport_config(const Settings& settings, std::string_view transport, Log& log) {
    TransportConfig config;
    config.handler = handler_of_transport(transport);
    config.role = role_of_transport(transport);
    const auto services = settings.list("delivery_services");
    config.has_service =
        config.role != Role::smtp || std::ranges::find(services, transport) != services.end();
    if (!config.has_service) {
        const std::vector<std::string_view> names(services.begin(), services.end());
        const auto near = nearest_name(transport, names);
        log.warning("master.cf has no transport " + std::string(transport) + ", its mail waits" +
                    (near.empty() ? "" : "; did you mean " + std::string(near) + "?"));
    }
    FeedbackLimits& feedback = config.feedback;
    feedback.initial =
        number(settings.integer_for_transport(transport, "initial_destination_concurrency"));
    feedback.limit =
        number(settings.integer_for_transport(transport, "destination_concurrency_limit"));
    feedback.positive =
        feedback_share(settings, transport, "destination_concurrency_positive_feedback", log);
    feedback.negative =
        feedback_share(settings, transport, "destination_concurrency_negative_feedback", log);
    feedback.failed_cohorts = static_cast<double>(
        settings.integer_for_transport(transport, "destination_concurrency_failed_cohort_limit"));
    const auto recipients =
        settings.integer_for_transport(transport, "destination_recipient_limit");
    config.recipient_limit = recipients <= 0 ? kRecipientsMax : number(recipients);
    config.destination_interval_us =
        settings.time_us_for_transport(transport, "destination_rate_delay");
    config.transport_interval_us =
        settings.time_us_for_transport(transport, "transport_rate_delay");
    const auto deferred = settings.list("defer_transports");
    config.waits_for_flush =
        std::find(deferred.begin(), deferred.end(), transport) != deferred.end();
    // As in Postfix: a destination with a pause between deliveries gets one at a time.
    if (config.destination_interval_us > 0) feedback.limit = 1;
    return config;
}

}  // namespace posthaste
