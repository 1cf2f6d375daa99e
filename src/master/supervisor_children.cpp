#include <algorithm>
#include <signal.h>
#include <sys/wait.h>

#include "base/units.h"

#include "runtime/stderr_log.h"

#include "master/supervisor.h"

namespace posthaste {

namespace {

constexpr int64_t kWorkedUs = 1 * kSecondUs;  // ready for this long: its death is not a bad start
constexpr unsigned kMessagesATurn = 64;
constexpr unsigned kWordsMax = 1000;  // in kTalkUs; a quiet one has a dozen in its life
constexpr int64_t kTalkUs = 1 * kMinuteUs;

// 1, 2, 4 … seconds.
int64_t back_off_us(unsigned failures, int64_t limit_us) {
    const int64_t wait_us = kSecondUs << std::min(failures - 1, 20U);
    return std::min(wait_us, limit_us);
}

// Takes "warning: " and the like from the front; info when there is none.
wire::Severity take_severity(std::string_view& text) {
    for (const auto severity : {wire::Severity::warning, wire::Severity::error,
                                wire::Severity::fatal, wire::Severity::panic}) {
        const std::string word = std::string(name_of(severity)) + ": ";
        if (!text.starts_with(word)) continue;
        text.remove_prefix(word.size());
        return severity;
    }
    return wire::Severity::info;
}

}  // namespace

Child* Supervisor::find(uint32_t incarnation) {
    Child* found = nullptr;
    for_each_child([&](Child& child) {
        if (child.identity().incarnation == incarnation) found = &child;
    });
    return found;
}

void Supervisor::on_messages(Child& child) {
    ControlMessage message;
    for (unsigned count = 0; count < kMessagesATurn; ++count) {
        const auto got = receive_control(child.control(), message);
        if (!got) {
            // End of file: the pidfd tells the rest. Broken framing is no better than death.
            if (got.error().code != Errc::closed) {
                log_.warning(child.name() + ": " + got.error().text() + ": killed");
                put_out(child);
            }
            child.close_control();
            return;
        }
        if (!*got) return;
        if (talks_too_much(child)) return;
        on_message(child, message);
    }
}

// Each word costs master time, and most of them a line of the log.
bool Supervisor::talks_too_much(Child& child) {
    const int64_t now_us = steady_us();
    if (now_us - child.talks_since_us >= kTalkUs) {
        child.talks_since_us = now_us;
        child.words = 0;
    }
    if (++child.words <= kWordsMax) return false;
    if (!child.is_given_up) {
        log_.warning(child.name() + " talks without end: killed");
        put_out(child);
    }
    child.close_control();
    return true;
}

void Supervisor::on_message(Child& child, const ControlMessage& message) {
    switch (message.type) {
        case control::Ready::kType: {
            control::Ready ready;
            if (!wire::decode(message.body, ready) || child.state != Child::State::starting) break;
            child.missing_layers = std::string(ready.missing_layers);
            on_ready(child);
            return;
        }
        case control::Failed::kType: {
            control::Failed failed;
            if (!wire::decode(message.body, failed)) break;
            child.failure = std::string(failed.text);
            return;
        }
        case control::PeerMisbehaved::kType: {
            control::PeerMisbehaved misbehaved;
            if (!wire::decode(message.body, misbehaved)) break;
            on_quarrel(child, misbehaved);
            return;
        }
        case control::Drained::kType:
            return;
        default:
            break;
    }
    if (child.is_given_up) return;
    log_.warning(child.name() + ": senseless control message of type " +
                 std::to_string(message.type) + ": killed");
    put_out(child);
}

void Supervisor::on_ready(Child& child) {
    child.state = Child::State::ready;
    child.ready_us = steady_us();
    if (!child.missing_layers.empty())
        log_.warning(child.name() + " runs without these walls, which the kernel refused: " +
                     child.missing_layers);
    for_each_child([&](Child& other) {
        if (&other != &child && other.is_at_work()) introduce(child, other);
    });
    // The place this one was started for may have held another, which may go now.
    for (auto& old : retired_) {
        if (old->state == Child::State::ready &&
            old->identity().service_key == child.identity().service_key &&
            old->identity().worker == child.identity().worker)
            retire(*old);
    }
    for (Slot& slot : slots_)
        if (slot.child.get() == &child) slot.renewed = false;
    const bool all = std::all_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
        return slot.child && slot.child->state == Child::State::ready;
    });
    if (all && phase_ == Phase::starting) finish_start("");
}

void Supervisor::introduce(Child& a, Child& b) {
    const Wire* wire = wire_between(a.role(), b.role());
    if (wire == nullptr) return;
    auto pair = make_control_pair();
    if (!pair)
        return log_.error("introducing " + a.name() + " to " + b.name() + ": " +
                          pair.error().text());
    const auto tell_of = [&](Child& self, Child& peer, Fd& end) {
        const WireEnd terms = end_of(*wire, self.role());
        control::Introduce introduce;
        introduce.peer_role = peer.role();
        introduce.peer_instance = peer.identity().instance;
        introduce.peer_incarnation = peer.identity().incarnation;
        introduce.own_ring_bytes = terms.own_ring_bytes;
        introduce.peer_ring_bytes = terms.peer_ring_bytes;
        introduce.we_lend_arena = terms.we_lend_arena;
        introduce.we_read_arena = terms.we_read_arena;
        introduce.peer_pid = static_cast<uint32_t>(peer.pid());
        introduce.peer_log_tag =
            std::string_view(peer.log_tag()).substr(0, control::Introduce::kLogTagBytesMax);
        tell(self, introduce, {end.get()});
        self.introduced_to.insert(peer.identity().incarnation);
    };
    tell_of(a, b, pair->first);
    tell_of(b, a, pair->second);
}

// Whoever does not hear what the others hear can not live with them.
template <class Record>
void Supervisor::tell(Child& child, const Record& record, std::initializer_list<int> descriptors) {
    if (child.control() < 0 || child.send(record, descriptors) || child.has_ended()) return;
    log_.warning(child.name() + " does not listen to its control socket: killed");
    put_out(child);
}

void Supervisor::put_out(Child& child) {
    child.is_given_up = true;
    child.kill(SIGKILL);
}

// Lines that a service could not hand to postlogd come as "postfix/smtpd: warning: text" and are
// log lines still; whatever else stands on its standard error is worth a warning.
void Supervisor::on_error_output(Child& child) {
    for (const std::string& line : child.take_error_lines()) {
        const std::string tag = "/" + std::string(name_of(child.role())) + ": ";
        const size_t at = line.find(tag);
        auto severity = wire::Severity::warning;
        std::string_view text = line;
        if (at != std::string::npos && line.find(' ') > at) {
            text.remove_prefix(at + tag.size());
            severity = take_severity(text);
        }
        log_.line_of(name_of(child.role()), static_cast<uint32_t>(child.pid()), severity, text);
        child.last_words = text;
    }
}

void Supervisor::on_exit(Child& child) {
    siginfo_t info{};
    if (::waitid(P_PIDFD, static_cast<id_t>(child.pidfd()), &info, WEXITED | WNOHANG) != 0 ||
        info.si_pid == 0)
        return;
    child.is_given_up = true;
    // Its last words may still be on their way: Failed says more than an exit status.
    if (child.control() >= 0) on_messages(child);
    on_error_output(child);
    const uint32_t incarnation = child.identity().incarnation;
    const control::Forget death{incarnation, lends_on(child.role())};
    const bool expected = child.state == Child::State::draining ||
                          child.state == Child::State::retiring || phase_ == Phase::stopping;
    const int status = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    log_exit(child, status, expected);
    for_each_child([&](Child& other) {
        if (&other == &child) return;
        other.introduced_to.erase(incarnation);
        tell(other, death);
    });
    if (death.lent_on) {
        if (former_.size() == control::Forget::kFormerMax) former_.pop_front();
        former_.push_back(incarnation);
    }
    forget_quarrels_of(incarnation);
    keep_counters(child);
    settle_slot(child, expected);
}

void Supervisor::log_exit(const Child& child, int status, bool expected) {
    const std::string process = "process " + child.name() + " pid " + std::to_string(child.pid());
    if (!child.failure.empty()) log_.fatal(child.name() + ": " + child.failure);
    if (status < 0 && !(expected && status == -SIGKILL))
        log_.warning(process + " killed by signal " + std::to_string(-status));
    if (status > 0) log_.warning(process + " exit status " + std::to_string(status));
    if (status == 0 && !expected) log_.warning(process + " ended by itself");
}

// `child` is gone after this.
void Supervisor::settle_slot(const Child& child, bool expected) {
    const auto retired = std::find_if(retired_.begin(), retired_.end(),
                                      [&](const auto& each) { return each.get() == &child; });
    if (retired != retired_.end()) {
        retired_.erase(retired);
        return;
    }
    const auto slot = std::find_if(slots_.begin(), slots_.end(),
                                   [&](const Slot& each) { return each.child.get() == &child; });
    if (slot == slots_.end()) return;
    const int64_t now_us = steady_us();
    const bool worked = child.ready_us > 0 && now_us - child.ready_us >= kWorkedUs;
    const std::string fault =
        child.name() + ": " +
        (child.failure.empty()
             ? "died at start" + (child.last_words.empty() ? "" : ": " + child.last_words)
             : child.failure);
    const bool failed_at_start = child.state == Child::State::starting;
    slot->child.reset();
    slot->renewed = slot->renewed && expected;
    slot->start_at_us = now_us;
    slot->failures = worked || expected ? 0 : slot->failures + 1;
    if (slot->failures > 0 && (failed_at_start || slot->failures > 1)) {
        const int64_t wait_us =
            back_off_us(slot->failures, plan_.settings.time_us("service_throttle_time"));
        slot->start_at_us = now_us + wait_us;
        if (phase_ == Phase::running)
            log_.warning(slot->service_key + ": bad command startup -- throttling for " +
                         std::to_string(wait_us / kSecondUs) + "s");
    }
    if (phase_ == Phase::starting && failed_at_start) finish_start(fault);
}

}  // namespace posthaste
