// runtime/ring_log.h: the Log of a service process: lines become LogEntry records in the ring to
// postlogd.
//
// Owned by service_main.cpp (and the simulation); it is told when postlogd comes and goes. While
// there is none, lines wait in a bounded buffer (kWaitingBytesMax) and are written when there is
// one. A full ring or buffer drops the line and counts it; the count is logged with the next line
// that fits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/peers.h"

namespace posthaste {

class RingLog final : public Log {
 public:
    static constexpr size_t kWaitingBytesMax = 64 * 1024;

    // `program` as in the log: "postfix/smtpd"; it and the pid are for an own reader only.
    RingLog(Loop& loop, std::string program, uint32_t pid);

    void line(wire::Severity severity, std::string_view text) override;

    void on_postlogd_up(Peer& postlogd);

    // A reload starts a new postlogd before the old one goes: `gone` may no longer be ours.
    void on_postlogd_down(const Peer* gone = nullptr) noexcept {
        if (gone == nullptr || gone == postlogd_) postlogd_ = nullptr;
    }

    // For postlogd's own lines: who returns true has taken the line.
    void set_own_reader(void* owner,
                        bool (*take)(void* owner, const wire::LogLine& line)) noexcept {
        own_reader_ = owner;
        take_ = take;
    }

    uint64_t lines_dropped() const noexcept { return lines_dropped_; }

    // Not yet written to a ring: for stderr, when the process ends before postlogd came.
    template <class Visitor>
    void visit_waiting(Visitor visit) const {
        for_each_waiting([&](std::string_view encoded) {
            wire::LogEntry entry;
            if (wire::decode(encoded, entry)) visit(entry);
            return true;
        });
    }

 private:
    void write(wire::Severity severity, std::string_view text);
    bool send(std::string_view encoded);
    void keep(std::string_view encoded);

    // Stops when `each` returns false; returns how many bytes of waiting_ were visited.
    template <class Each>
    size_t for_each_waiting(Each each) const {
        ByteReader reader(waiting_);
        while (!reader.rest().empty()) {
            const size_t before = waiting_.size() - reader.rest().size();
            if (!each(reader.text(kWaitingBytesMax))) return before;
        }
        return waiting_.size();
    }

    Loop& loop_;
    std::string program_;
    uint32_t pid_;
    Peer* postlogd_ = nullptr;
    void* own_reader_ = nullptr;
    bool (*take_)(void*, const wire::LogLine&) = nullptr;
    std::string text_;
    std::string encoded_;
    std::string waiting_;  // {u32 length, LogEntry} …
    uint64_t lines_dropped_ = 0;
    uint64_t dropped_told_ = 0;
};

// Replaces what a terminal or a log parser could stumble over; well-formed UTF-8 stays. Replaces
// `out`.
void make_printable(std::string_view text, size_t size_max, std::string& out);

}  // namespace posthaste
