#include "master/postlogd/line_order.h"

#include <algorithm>

namespace posthaste {

void LineOrder::add(int64_t said_us, int64_t now_us, std::string_view text) {
    lines_.push_back({said_us, now_us, text_.size(), text.size()});
    text_ += text;
}

void LineOrder::choose(int64_t now_us, bool all) {
    chosen_.clear();
    int64_t until_us = INT64_MIN;
    for (const Line& line : lines_) {
        if (!all && line.came_us + kWaitUs > now_us) break;
        until_us = std::max(until_us, line.said_us);
    }
    const auto stays = std::stable_partition(
        lines_.begin(), lines_.end(), [&](const Line& line) { return line.said_us > until_us; });
    chosen_.assign(stays, lines_.end());
    lines_.erase(stays, lines_.end());
    std::stable_sort(chosen_.begin(), chosen_.end(),
                     [](const Line& a, const Line& b) { return a.said_us < b.said_us; });
}

void LineOrder::drop_chosen() {
    if (chosen_.empty()) return;
    kept_text_.clear();
    for (Line& line : lines_) {
        const size_t at = kept_text_.size();
        kept_text_.append(text_, line.at, line.size);
        line.at = at;
    }
    std::swap(text_, kept_text_);
}

}  // namespace posthaste
