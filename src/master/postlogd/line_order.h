// master/postlogd/line_order.h: puts lines of many processes into the order in which they were
// said. Each ring is in order by itself; between rings a line can come a few milliseconds before
// one that was said earlier, and "removed" would stand above "status=sent".
//
// A line stays here for kWaitUs, so that what was said before it can come. What comes later than
// that stands where it comes. Waiting is counted by the monotonic clock: a wall clock that is set
// back holds nothing up.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace posthaste {

class LineOrder {
 public:
    static constexpr int64_t kWaitUs = 50 * kMsUs;

    // `said_us`: when, as far as that is believed. The text is copied.
    void add(int64_t said_us, int64_t now_us, std::string_view text);

    // Hands on, in order, what has waited long enough, and what was said before that; with `all`
    // everything.
    template <class Take>
    void release(int64_t now_us, bool all, Take&& take) {
        choose(now_us, all);
        for (const Line& line : chosen_) take(std::string_view(text_).substr(line.at, line.size));
        drop_chosen();
    }

    bool empty() const noexcept { return lines_.empty(); }

    size_t bytes() const noexcept { return text_.size(); }

    // When release() has something to hand on next; not when empty.
    int64_t next_us() const noexcept { return lines_.front().came_us + kWaitUs; }

 private:
    struct Line {
        int64_t said_us;
        int64_t came_us;
        size_t at;
        size_t size;
    };

    void choose(int64_t now_us, bool all);
    void drop_chosen();

    std::vector<Line> lines_;  // as they came
    std::vector<Line> chosen_;
    std::string text_;
    std::string kept_text_;
};

}  // namespace posthaste
