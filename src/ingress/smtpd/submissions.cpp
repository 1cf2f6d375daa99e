#include "ingress/smtpd/submissions.h"

#include <algorithm>
#include <utility>

#include "base/deliberate_bug.h"
#include "base/strings.h"

#include "mail/enhanced_status.h"

namespace posthaste::smtpd {
namespace {

// What cleanup died over may be tried again at once by the client: the next one takes it.
constexpr uint16_t kVoidCode = 451;
constexpr std::string_view kVoidDsn = "4.3.0";
constexpr std::string_view kVoidText = "Error: queue file write error";

}  // namespace

Submissions::Number Submissions::take_slot() {
    if (free_slots_.empty()) {
        slots_.emplace_back();
        return static_cast<Number>(slots_.size() - 1);
    }
    const Number number = free_slots_.back();
    free_slots_.pop_back();
    return number;
}

Submissions::Number Submissions::submit(Submitter& submitter, const Envelope& envelope,
                                        MessageBlocks& blocks) {
    const Number number = take_slot();
    Slot& slot = slots_[number];
    encode_envelope(envelope, envelope_bytes_);
    record_.cookie = cookie_of(number, slot.generation);
    record_.envelope = envelope_bytes_;
    blocks.extents(record_.content);
    for (size_t tries = 0; has_store() && tries < cleanups_.size(); ++tries) {
        Peer& cleanup = *cleanups_[next_cleanup_++ % cleanups_.size()];
        if (!cleanup.send(record_)) continue;
        slot.submitter = &submitter;
        slot.cleanup_incarnation = cleanup.incarnation();
        blocks.take(slot.blocks);
        if (has_bug(DeliberateBug::free_submitted)) {
            memory_.free(slot.blocks);
            slot.blocks.clear();
        }
        ++outstanding_;
        return number;
    }
    free_slots_.push_back(number);
    if (std::find(waiting_.begin(), waiting_.end(), &submitter) == waiting_.end())
        waiting_.push_back(&submitter);
    return kNone;
}

void Submissions::abandon(Number number) noexcept { slots_[number].submitter = nullptr; }

void Submissions::stop_waiting(Submitter& submitter) {
    if (!waiting_.empty()) std::erase(waiting_, &submitter);
}

// slot.blocks must have been taken out.
Submissions::Submitter* Submissions::release(Number number) {
    Slot& slot = slots_[number];
    slot.cleanup_incarnation = 0;
    ++slot.generation;
    --outstanding_;
    free_slots_.push_back(number);
    return std::exchange(slot.submitter, nullptr);
}

void Submissions::on_cleanup_up(Peer& cleanup) {
    cleanups_.push_back(&cleanup);
    tell_waiting();
}

bool Submissions::on_cleanup_leaving(Peer& cleanup) {
    if (std::erase(cleanups_, &cleanup) == 0) return false;
    to_be_told_.push_back(&cleanup);
    say_no_more();
    return true;
}

void Submissions::say_no_more() {
    std::erase_if(to_be_told_, [](Peer* cleanup) { return cleanup->send(wire::NoMoreMail{}); });
}

size_t Submissions::on_cleanup_down(Peer& cleanup) {
    std::erase(cleanups_, &cleanup);
    std::erase(to_be_told_, &cleanup);
    std::vector<Submitter*> disappointed;
    std::vector<uint32_t> blocks;
    size_t count = 0;
    for (Number number = 0; number < slots_.size(); ++number) {
        Slot& slot = slots_[number];
        if (slot.cleanup_incarnation != cleanup.incarnation()) continue;
        ++count;
        blocks.insert(blocks.end(), slot.blocks.begin(), slot.blocks.end());
        slot.blocks.clear();
        if (Submitter* submitter = release(number)) disappointed.push_back(submitter);
    }
    if (has_bug(DeliberateBug::free_early))
        memory_.free(blocks);
    else
        memory_.quarantine(blocks, cleanup.incarnation());
    for (Submitter* submitter : disappointed) submitter->on_answer(kVoidCode, kVoidDsn, kVoidText);
    return count;
}

bool Submissions::on_result(Peer& cleanup, const wire::SubmitResult& result) {
    const auto number = static_cast<Number>(result.cookie);
    if (number >= slots_.size()) return false;
    Slot& slot = slots_[number];
    if (slot.cleanup_incarnation != cleanup.incarnation() ||
        result.cookie != cookie_of(number, slot.generation)) {
        return false;
    }
    const unsigned kind = result.code / 100;
    const bool is_good = (kind == 2 || kind == 4 || kind == 5) && result.code % 100 < 60;
    const bool is_good_dsn = result.dsn.empty()
                                 ? kind == 2
                                 : enhanced_status_of(result.dsn) == result.dsn &&
                                       static_cast<unsigned>(result.dsn[0] - '0') == kind;
    if (!is_good || !is_good_dsn) return false;
    memory_.on_answer(result.code);
    // Whoever is told of the room may submit, and take this slot: nothing of it is used behind
    // that.
    returned_.swap(slot.blocks);
    Submitter* submitter = release(number);
    memory_.free(returned_);
    returned_.clear();
    if (submitter == nullptr) return true;
    if (kind == 2)
        submitter->on_answer(250, result.dsn, {});
    else
        submitter->on_answer(result.code, result.dsn, printable(result.text, 500));
    return true;
}

void Submissions::tell_waiting() {
    const std::vector<Submitter*> waiting = std::exchange(waiting_, {});
    for (Submitter* submitter : waiting) submitter->on_ready();
}

}  // namespace posthaste::smtpd
