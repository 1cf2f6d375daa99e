// master/postlogd/postlogd.h: everybody's log lines, into one file or the system's log.
//
// Lines wait a moment to be put in order (line_order.h). What is ready in a turn is one write; while
// a write is under way further lines collect. A collection of kCollectedBytesMax stops the reading of the rings: they fill, and whoever finds its ring full
// drops the line and counts it. What the file does not take (disk full) is dropped and counted too,
// and the count is logged when it takes some again: mail never waits for its log.
//
// Who said a line, and when, is not the line's own word: tag and pid are those that master has
// introduced the other end of the ring with, and a stamp is believed while it is no older than
// kStampAgeUsMax and not from the future.
//
// Its end: a reload starts the next postlogd first, and writers go over to it as they hear of it.
// The old one stays until its rings have been quiet for a while; when no writer is left, as at a
// stop, it goes at once.
//
// The target is opened by the prepare stage, as root; a reload starts a new process
// (master/supervisor_reload.cpp), which is how a rotated file is let go.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "base/units.h"

#include "runtime/service.h"

#include "master/postlogd/line_order.h"
#include "master/postlogd/log_text.h"

namespace posthaste {

struct LogTarget {
    Fd descriptor;
    bool is_syslog = false;  // a datagram socket: one line each
};

class Postlogd final : public Service, private TurnListener {
 public:
    static constexpr size_t kCollectedBytesMax = 1 << 20;
    // Longer than a line waits here in good times.
    static constexpr int64_t kStampAgeUsMax = 1 * kSecondUs;
    // So much goes to the disk at a time, lest a large write-out get in the way of the queue's.
    static constexpr size_t kBeginSyncBytes = 256 << 10;

    Postlogd(World& world, LogTarget target, LogText text);
    ~Postlogd() override;

    void attach(Peers& peers) override;
    void on_listener(std::string_view name, Socket listener) override;
    void on_drain() override;
    bool is_idle() const override;
    bool on_own_line(const wire::LogLine& line) override;

    void on_peer_up(Peer& peer) override;
    void on_peer_down(Peer& peer) override;
    void on_record(Peer& peer, uint16_t type, std::string_view body) override;

 private:
    void on_turn_end() override;
    void on_datagram(const Event& event);
    void on_written(const Event& event);
    void take(const wire::LogLine& line);
    int64_t believed_wall_us(int64_t stamp_us) const;
    void put_in_order();
    void start_write();
    void pause_or_resume();
    bool has_peers() const;

    void on_order_timer() { loop_.request_turn_end(*this); }

    void on_drain_look() {}  // the turn it wakes asks is_idle()

    Loop& loop_;
    const std::string program_;  // of our own lines
    LogTarget target_;
    LogText text_;
    Counters counters_;
    Peers* peers_ = nullptr;

    LineOrder order_;
    std::string collected_;                      // for the file
    std::deque<std::string> datagrams_waiting_;  // for syslog
    size_t collected_bytes_ = 0;                 // of all three
    std::string line_;
    std::string in_flight_;
    size_t lines_collected_ = 0;
    size_t lines_in_flight_ = 0;
    size_t not_begun_bytes_ = 0;  // written, left to the kernel so far
    uint64_t lines_lost_ = 0;     // not yet told
    int lost_errno_ = 0;
    bool paused_ = false;
    bool draining_ = false;
    int64_t drained_us_ = 0;  // when it was asked for
    int64_t last_line_us_ = 0;
    Timer order_timer_;
    Timer drain_timer_;
    iovec piece_{};
    Completion write_done_;
    Completion datagram_done_;
    Socket datagrams_ = Socket::none;
};

// As root: maillog_file; without one the system's log socket; without that a file in
// queue_directory.
Result<LogTarget> open_log_target(const Settings& settings);
// Why that would fail, without making a file; empty: it would not.
std::string fault_in_log_target(const Settings& settings);

}  // namespace posthaste
