#include "scheduler/feedback.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/strings.h"

namespace posthaste {

namespace {

std::optional<double> parse_positive(std::string_view text) noexcept {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !(value > 0) || value > 1000)
        return std::nullopt;
    return value;
}

uint32_t ceiling(const FeedbackLimits& limits) noexcept {
    return limits.limit == 0 ? UINT16_MAX : std::max(limits.limit, 1U);
}

}  // namespace

std::optional<FeedbackShare> FeedbackShare::parse(std::string_view text) noexcept {
    FeedbackShare out;
    const size_t slash = text.find('/');
    const auto number = parse_positive(trimmed(text.substr(0, slash)));
    if (!number) return std::nullopt;
    out.number = *number;
    if (slash == std::string_view::npos) return out;
    const auto divisor = trimmed(text.substr(slash + 1));
    if (equals_ignoring_case(divisor, "concurrency")) {
        out.divisor = Divisor::concurrency;
    } else if (equals_ignoring_case(divisor, "sqrt_concurrency")) {
        out.divisor = Divisor::sqrt_concurrency;
    } else if (const auto value = parse_positive(divisor)) {
        out.number /= *value;
    } else {
        return std::nullopt;
    }
    return out;
}

double FeedbackShare::of(uint32_t concurrency) const noexcept {
    const double n = std::max(concurrency, 1U);
    switch (divisor) {
        case Divisor::one:
            return number;
        case Divisor::concurrency:
            return number / n;
        case Divisor::sqrt_concurrency:
            return number / std::sqrt(n);
    }
    return number;
}

void Feedback::reset(const FeedbackLimits& limits) noexcept {
    window_ = std::clamp(limits.initial, 1U, ceiling(limits));
    success_ = failure_ = failed_cohorts_ = 0;
    careful_steps_ = 0;
}

bool Feedback::succeeded(uint32_t busy, const FeedbackLimits& limits) noexcept {
    failed_cohorts_ = 0;
    window_ = std::min(window_, ceiling(limits));  // the setting may have been lowered
    const uint32_t before = window_;
    if (window_ >= ceiling(limits) || window_ >= busy + limits.initial) return false;
    const double step = limits.positive.of(window_);
    success_ += step;
    while (success_ + step / 2 >= 1 && window_ < ceiling(limits)) {
        ++window_;
        success_ -= 1;
        failure_ = 0;
        if (careful_steps_ > 0) {
            --careful_steps_;
            wait_for_successes(limits);
        }
    }
    return window_ > before;
}

void Feedback::crowded(uint32_t connections, const FeedbackLimits& limits) noexcept {
    constexpr uint32_t kCarefulSteps = 3;
    window_ = std::clamp(connections, 1U, window_);
    careful_steps_ = kCarefulSteps;
    wait_for_successes(limits);
}

void Feedback::wait_for_successes(const FeedbackLimits& limits) noexcept {
    constexpr double kSuccessesEach = 20;
    success_ = -kSuccessesEach * window_ * limits.positive.of(window_);
}

bool Feedback::failed(const FeedbackLimits& limits) noexcept {
    failed_cohorts_ += 1.0 / std::max(window_, 2U);
    // Thirds do not add up to one.
    if (limits.failed_cohorts > 0 && failed_cohorts_ + 1e-9 >= limits.failed_cohorts) return true;
    const double step = limits.negative.of(window_);
    failure_ -= step;
    if (failure_ - step / 2 < 0) {
        const auto steps = static_cast<uint32_t>(std::max(step, 1.0));
        window_ = window_ > steps ? window_ - steps : 1;
        failure_ = std::min(failure_ + steps, 1.0);
        success_ = 0;
    }
    return false;
}

}  // namespace posthaste
