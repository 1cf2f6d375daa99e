#include "master/postlogd/postlogd.h"

#include <cstring>
#include <unistd.h>

#include "base/units.h"

namespace posthaste {

namespace {

enum Count : size_t { lines_written, bytes_written, writes, syncs_begun, lines_lost, peers_paused };

constexpr CounterRow kCounters[] = {
    {"lines_written", "lines", "Log lines written to the file or handed to the system's log."},
    {"bytes_written", "bytes", "Their size."},
    {"writes", "writes", "Writes they took: lines of a turn share one."},
    {"syncs_begun", "syncs", "How often what was written began to go to the disk at our word."},
    {"lines_lost", "lines", "Lines the target did not take: the disk is full, or syslogd is gone."},
    {"peers_paused", "times", "How often lines came faster than they could be written."},
};

// Producers need not wake postlogd for each line; nobody waits for one.
constexpr int64_t kLingerUs = 5 * kMsUs;
constexpr int64_t kQuietUs = 100 * kMsUs;
constexpr int64_t kDrainUsMax = 2 * kSecondUs;

}  // namespace

Postlogd::Postlogd(World& world, LogTarget target, LogText text)
    : loop_(world.loop),
      program_(world.settings.text("syslog_name") + "/postlogd"),
      target_(std::move(target)),
      text_(std::move(text)),
      counters_(world.counter_page, kCounters),
      order_timer_(timer_calls<&Postlogd::on_order_timer, Postlogd>(), this),
      drain_timer_(timer_calls<&Postlogd::on_drain_look, Postlogd>(), this),
      write_done_(runner_of<&Postlogd::on_written, Postlogd>(), this),
      datagram_done_(runner_of<&Postlogd::on_datagram, Postlogd>(), this) {}

Postlogd::~Postlogd() { loop_.remove_listener(*this); }

void Postlogd::attach(Peers& peers) {
    peers_ = &peers;
    peers.set_linger_us(kLingerUs);
}

void Postlogd::on_listener(std::string_view, Socket listener) {
    // One datagram socket (runtime/log_line.h, encoded), for master and root's commands.
    if (datagrams_ != Socket::none) return;
    datagrams_ = listener;
    loop_.receive(datagram_done_, datagrams_);
}

void Postlogd::on_datagram(const Event& event) {
    wire::LogLine line;
    if (event.result > 0 && wire::decode(event.data, line)) take(line);
    if (event.last && event.result >= 0 && !draining_) loop_.receive(datagram_done_, datagrams_);
}

void Postlogd::on_peer_up(Peer& peer) {
    if (paused_) peer.pause();
}

void Postlogd::on_peer_down(Peer&) {}

void Postlogd::on_record(Peer& peer, uint16_t type, std::string_view body) {
    wire::LogEntry entry;
    if (type != wire::LogEntry::kType || !wire::decode(body, entry))
        return peers_->misbehaved(peer, "not a log line");
    wire::LogLine line;
    line.wall_us = believed_wall_us(entry.wall_us);
    line.pid = peer.pid();
    line.severity = entry.severity;
    line.program = peer.log_tag();
    line.text = entry.text;
    take(line);
}

int64_t Postlogd::believed_wall_us(int64_t stamp_us) const {
    const int64_t now_us = loop_.fresh_wall_us();
    return stamp_us > now_us || stamp_us < now_us - kStampAgeUsMax ? now_us : stamp_us;
}

bool Postlogd::on_own_line(const wire::LogLine& line) {
    take(line);
    return true;
}

void Postlogd::take(const wire::LogLine& line) {
    // Paused peers may still hand over what they had begun; beyond twice the bound even that is
    // lost.
    if (collected_bytes_ > 2 * kCollectedBytesMax) {
        ++lines_lost_;
        counters_.add(lines_lost);
        return;
    }
    line_.clear();
    target_.is_syslog ? text_.append_for_syslog(line, line_) : text_.append(line, line_);
    order_.add(line.wall_us, loop_.now_us(), line_);
    collected_bytes_ += line_.size();
    last_line_us_ = loop_.now_us();
    loop_.request_turn_end(*this);
}

void Postlogd::put_in_order() {
    const bool crowded = order_.bytes() >= kCollectedBytesMax / 2;
    order_.release(loop_.now_us(), crowded, [this](std::string_view line) {
        target_.is_syslog ? void(datagrams_waiting_.emplace_back(line)) : void(collected_ += line);
        ++lines_collected_;
    });
    if (!order_.empty()) loop_.timers().set(order_timer_, order_.next_us());
}

void Postlogd::on_turn_end() {
    put_in_order();
    if (!write_done_.in_flight() && lines_collected_ > 0) start_write();
    pause_or_resume();
    if (draining_) loop_.timers().set(drain_timer_, loop_.now_us() + kQuietUs);
}

void Postlogd::start_write() {
    if (target_.is_syslog) {
        // One line a datagram, one datagram at a time: syslogd takes them in order.
        in_flight_ = std::move(datagrams_waiting_.front());
        datagrams_waiting_.pop_front();
        lines_in_flight_ = 1;
    } else {
        in_flight_.clear();
        std::swap(in_flight_, collected_);
        lines_in_flight_ = lines_collected_;
    }
    lines_collected_ -= lines_in_flight_;
    collected_bytes_ -= in_flight_.size();
    piece_ = {in_flight_.data(), in_flight_.size()};
    if (target_.is_syslog) {
        loop_.send(write_done_, static_cast<Socket>(target_.descriptor.get()), {&piece_, 1});
    } else {
        not_begun_bytes_ += in_flight_.size();
        const bool enough = not_begun_bytes_ >= kBeginSyncBytes;
        if (enough) {
            not_begun_bytes_ = 0;
            counters_.add(syncs_begun);
        }
        // The file is open for appending: the offset is the kernel's to choose.
        loop_.write_file(write_done_, target_.descriptor.get(), {&piece_, 1}, 0,
                         enough ? FileSync::begin : FileSync::none);
    }
}

void Postlogd::on_written(const Event& event) {
    loop_.request_turn_end(*this);
    if (event.result >= 0 && static_cast<size_t>(event.result) == in_flight_.size()) {
        counters_.add(lines_written, lines_in_flight_);
        counters_.add(bytes_written, in_flight_.size());
        counters_.add(writes);
        if (lines_lost_ == 0) return;
        wire::LogLine notice;
        notice.wall_us = loop_.wall_us();
        notice.pid = static_cast<uint32_t>(::getpid());
        notice.severity = wire::Severity::warning;
        notice.program = program_;
        const std::string text =
            std::to_string(lines_lost_) + " log lines could not be written" +
            (lost_errno_ != 0 ? std::string(": ") + std::strerror(lost_errno_) : "");
        notice.text = text;
        lines_lost_ = 0;
        take(notice);
        return;
    }
    // A part may have been written; the line it cuts counts as lost.
    lost_errno_ = event.result < 0 ? -event.result : 0;
    lines_lost_ += lines_in_flight_;
    counters_.add(lines_lost, lines_in_flight_);
}

void Postlogd::pause_or_resume() {
    const bool full = collected_bytes_ >= kCollectedBytesMax;
    if (full == paused_ || peers_ == nullptr) return;
    paused_ = full;
    if (full) counters_.add(peers_paused);
    for (unsigned role = 0; role < kRoles; ++role)
        for (Peer* peer : peers_->all(static_cast<Role>(role)))
            full ? peer->pause() : peer->resume();
}

bool Postlogd::has_peers() const {
    for (unsigned role = 0; peers_ != nullptr && role < kRoles; ++role)
        if (!peers_->all(static_cast<Role>(role)).empty()) return true;
    return false;
}

void Postlogd::on_drain() {
    draining_ = true;
    drained_us_ = last_line_us_ = loop_.now_us();
    if (datagram_done_.in_flight()) loop_.cancel(datagram_done_);
    loop_.request_turn_end(*this);
}

bool Postlogd::is_idle() const {
    if (!order_.empty() || lines_collected_ > 0 || write_done_.in_flight() ||
        datagram_done_.in_flight())
        return false;
    const int64_t now_us = loop_.now_us();
    return !draining_ || !has_peers() || now_us - last_line_us_ >= kQuietUs ||
           now_us - drained_us_ >= kDrainUsMax;
}

}  // namespace posthaste
