// scheduler/feedback.h: how many connections one destination is given, learned from how they fare:
// Postfix's concurrency feedback (SCHEDULER_README "Concurrency scheduling"), names and defaults
// included.
//
//   success   window + positive feedback, while the window is below its limit and really used; a step up is taken at the
//             end of a cycle, a step down at its beginning ("reverse hysteresis")
//   failure   of the connection, not of a message: window - negative feedback, never below 1; and 1/window is added to the
//             failed cohorts: when they reach their limit without a success between, the destination is dead
//   crowded   a further connection is refused while the others work: the window is what works, and grows again only after
//             many successes
//
// Two oddities are not taken over. Postfix takes two steps down at the first failure; here it is
// one. And at a window of 1 a single failure is a whole cohort there, so that a site limited to one
// connection dies at the first hiccup; here no failure counts for more than half a cohort.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace posthaste {

// "1", "0.5", "1/4", "1/concurrency", "1/sqrt_concurrency".
struct FeedbackShare {
    enum class Divisor : uint8_t { one, concurrency, sqrt_concurrency };
    double number = 1;
    Divisor divisor = Divisor::one;

    static std::optional<FeedbackShare> parse(std::string_view text) noexcept;
    double of(uint32_t concurrency) const noexcept;
};

struct FeedbackLimits {
    uint32_t initial = 5;
    uint32_t limit = 20;  // 0: none
    FeedbackShare positive;
    FeedbackShare negative;
    double failed_cohorts = 1;  // 0: never dead
};

class Feedback {
 public:
    explicit Feedback(const FeedbackLimits& limits) noexcept { reset(limits); }

    void reset(const FeedbackLimits& limits) noexcept;
    // `busy`: connections at work. True: the window grew.
    bool succeeded(uint32_t busy, const FeedbackLimits& limits) noexcept;
    // A connection beyond these was refused while they work: so many, and no more until each of them
    // has had many successes.
    void crowded(uint32_t connections, const FeedbackLimits& limits) noexcept;
    // True: dead.
    bool failed(const FeedbackLimits& limits) noexcept;

    uint32_t window() const noexcept { return window_; }

 private:
    void wait_for_successes(const FeedbackLimits& limits) noexcept;

    uint32_t window_ = 1;
    uint32_t careful_steps_ = 0;  // up, before it grows as fast as ever
    double success_ = 0;
    double failure_ = 0;
    double failed_cohorts_ = 0;
};

}  // namespace posthaste
