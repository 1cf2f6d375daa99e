#include "runtime/ring_log.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/codec.h"

namespace posthaste {
namespace {

constexpr size_t kTextBytesMax = 4096;  // as LogEntry's own bound
constexpr size_t kNoticeBytes = 256;    // a record's fixed part, with room to spare

// How many bytes of well-formed, printable UTF-8 stand at the front (RFC 3629; no C1 controls); 0:
// none.
size_t utf8_bytes_at(std::string_view text) noexcept {
    const auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = at(0);
    const size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
    uint32_t code = first & (0xffU >> (size + 1));
    for (size_t i = 1; i < size; ++i) {
        if ((at(i) & 0xc0) != 0x80) return 0;
        code = code << 6 | (at(i) & 0x3fU);
    }
    constexpr uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < smallest[size] || code < 0xa0 || surrogate || code > 0x10ffff ? 0 : size;
}

}  // namespace

void make_printable(std::string_view text, size_t size_max, std::string& out) {
    out.clear();
    text = text.substr(0, size_max);
    while (!text.empty()) {
        // Nearly always all of it.
        const auto plain =
            std::find_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; });
        out.append(text.begin(), plain);
        text.remove_prefix(static_cast<size_t>(plain - text.begin()));
        if (text.empty()) return;
        const auto first = static_cast<unsigned char>(text.front());
        size_t size = 1;
        if (first >= 0x80 && (size = utf8_bytes_at(text)) > 0) {
            out += text.substr(0, size);
        } else {
            out += '?';
            size = 1;
        }
        text.remove_prefix(size);
    }
}

RingLog::RingLog(Loop& loop, std::string program, uint32_t pid)
    : loop_(loop), program_(std::move(program)), pid_(pid) {}

void RingLog::line(wire::Severity severity, std::string_view text) {
    // Told when there is room for the notice and a line behind it: a nearly full ring is no place
    // for notices alone.
    if (postlogd_ != nullptr && lines_dropped_ != dropped_told_ &&
        postlogd_->has_room(2 * kNoticeBytes + text.size())) {
        write(wire::Severity::warning,
              std::to_string(lines_dropped_ - dropped_told_) + " log lines were dropped");
        dropped_told_ = lines_dropped_;
    }
    write(severity, text);
}

void RingLog::write(wire::Severity severity, std::string_view text) {
    make_printable(text, kTextBytesMax, text_);
    wire::LogEntry entry;
    // The line's place in the log: what it makes others do and say comes after it.
    entry.wall_us = loop_.fresh_wall_us();
    entry.severity = severity;
    entry.text = text_;
    if (take_ != nullptr) {
        wire::LogLine own;
        own.wall_us = entry.wall_us;
        own.pid = pid_;
        own.severity = severity;
        own.program = program_;
        own.text = text_;
        if (take_(own_reader_, own)) return;
    }
    wire::encode(entry, encoded_);
    if (postlogd_ == nullptr) return keep(encoded_);
    if (!send(encoded_)) ++lines_dropped_;
    // The process may not see the end of this turn.
    if (severity >= wire::Severity::fatal) postlogd_->publish_now();
}

bool RingLog::send(std::string_view encoded) {
    // Asked first: a refused send() would make postlogd ring when it has made room, and nobody here
    // waits for that.
    return postlogd_->has_room(encoded.size()) &&
           postlogd_->send_bytes(wire::LogEntry::kType, encoded);
}

void RingLog::keep(std::string_view encoded) {
    if (waiting_.size() + encoded.size() + sizeof(uint32_t) > kWaitingBytesMax) {
        ++lines_dropped_;
        return;
    }
    ByteWriter(waiting_).text(encoded);
}

void RingLog::on_postlogd_up(Peer& postlogd) {
    postlogd_ = &postlogd;
    for_each_waiting([&](std::string_view encoded) {
        if (!send(encoded)) ++lines_dropped_;
        return true;
    });
    waiting_.clear();
}

}  // namespace posthaste
