// ingress/smtpd/session_testing.h: a world of strings for Session, for its tests and its fuzz
// target. Records what the session says; takes messages; answers only when told to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"

#include "ingress/smtpd/session.h"

namespace posthaste::smtpd {

class StringWorld final : public SessionWorld {
 public:
    struct Message {
        Envelope envelope;
        std::string content;

        friend bool operator==(const Message& a, const Message& b) {
            if (a.content != b.content || a.envelope.sender != b.envelope.sender) return false;
            if (a.envelope.recipients.size() != b.envelope.recipients.size()) return false;
            for (size_t i = 0; i < a.envelope.recipients.size(); ++i) {
                if (a.envelope.recipients[i].address != b.envelope.recipients[i].address)
                    return false;
            }
            return a.envelope.size_bytes == b.envelope.size_bytes;
        }
    };

    void reply(std::string_view lines) override { replies.append(lines); }

    bool can_reply() const override { return replies.size() < replies_max; }

    void log(std::string_view line) override { logged.emplace_back(line); }

    void warn(std::string_view line) override { logged.push_back("warning: " + std::string(line)); }

    void count(SmtpdCounter counter, uint64_t amount) override {
        counts[static_cast<size_t>(counter)] += amount;
    }

    int64_t wall_us() const override { return 1'700'000'000'000'000; }

    MessageId take_id() override { return ids_left-- > 0 ? next_id++ : kNoMessage; }

    bool is_short_of_memory() const override { return short_of_memory; }

    bool can_append() override { return content.size() < room; }

    void append(std::string_view bytes) override { content.append(bytes); }

    void drop_message() override { content.clear(); }

    void submit(const Envelope& envelope) override {
        ASSERT(!waits_for_answer);
        messages.push_back({envelope, content});
        content.clear();
        waits_for_answer = true;
    }

    void rest_for(int64_t duration_us) override { rested_us += duration_us; }

    void close() override {
        ASSERT(!closed);
        closed = true;
    }

    std::string& scratch() override {
        text_.clear();
        return text_;
    }

    std::string last_log() const { return logged.empty() ? "" : logged.back(); }

    uint64_t counted(SmtpdCounter counter) const { return counts[static_cast<size_t>(counter)]; }

    std::string replies;
    std::vector<std::string> logged;
    std::vector<Message> messages;
    std::string content;
    bool waits_for_answer = false;
    bool closed = false;
    bool short_of_memory = false;
    int64_t rested_us = 0;
    size_t room = SIZE_MAX;
    size_t replies_max = SIZE_MAX;
    int64_t ids_left = INT64_MAX;
    MessageId next_id = 1'700'000'000'000'001;
    uint64_t counts[32] = {};

 private:
    std::string text_;
};

// A session, its world, and a client at 192.0.2.1 (10.0.0.1 is in mynetworks).
class Dialogue {
 public:
    static constexpr uint64_t kMessageBytesMax = 1 << 20;

    // `overrides` as in main.cf.
    static SmtpdSettings settings_with(std::string_view overrides) {
        std::string lines =
            "myhostname = mx.example.com\nmynetworks = 10.0.0.0/8\nmydestination =\n"
            "relay_domains = example.com\n"
            "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n";
        lines.append(overrides);
        std::string fault;
        std::vector<std::string> warnings;
        auto settings =
            SmtpdSettings::read(Settings::initial(lines), kMessageBytesMax, warnings, fault);
        ASSERT(settings.has_value());
        return std::move(*settings);
    }

    explicit Dialogue(std::string_view overrides = {}, std::string_view client_ip = "192.0.2.1")
        : own_settings_(settings_with(overrides)), session(std::in_place, *own_settings_, world) {
        set_client(client_ip);
    }

    // `settings` outlives it.
    explicit Dialogue(const SmtpdSettings& settings, std::string_view client_ip = "192.0.2.1")
        : session(std::in_place, settings, world) {
        set_client(client_ip);
    }

    void start(bool input_waits = false) { session->start(client_, input_waits); }

    // Greets, then says all of it.
    std::string converse(std::string_view bytes) {
        start();
        say(bytes);
        return world.replies;
    }

    // Gives `bytes` to the session as a connection would: what is not consumed is offered again
    // with what follows. Messages are answered `answer_code` at once.
    void say(std::string_view bytes) {
        kept_.append(bytes);
        while (!world.closed) {
            const size_t used = session->consume(kept_);
            ASSERT(used <= kept_.size());
            kept_.erase(0, used);
            if (world.rested_us > rested_us_) {
                rested_us_ = world.rested_us;
                session->on_rested();
                continue;
            }
            if (world.waits_for_answer && answer_code != 0) {
                world.waits_for_answer = false;
                session->on_stored(answer_code, answer_code == 250 ? "" : "4.3.0",
                                   answer_code == 250 ? "" : "Error: no");
                continue;
            }
            if (used == 0 || kept_.empty()) break;
        }
    }

    // What was replied since the last call.
    std::string heard() {
        std::string out = world.replies.substr(heard_);
        heard_ = world.replies.size();
        return out;
    }

    std::string ask(std::string_view line) {
        heard();
        say(std::string(line) + "\r\n");
        return heard();
    }

    const std::string& kept() const { return kept_; }

    StringWorld world;

 private:
    void set_client(std::string_view ip) {
        client_.ip = *IpAddress::parse(ip);
        client_.local_ip = *IpAddress::parse("192.0.2.99");
        client_.name = "client.example.net";
    }

    std::optional<SmtpdSettings> own_settings_;

 public:
    std::optional<Session> session;
    uint16_t answer_code = 250;

 private:
    Client client_;
    std::string kept_;
    size_t heard_ = 0;
    int64_t rested_us_ = 0;
};

}  // namespace posthaste::smtpd
