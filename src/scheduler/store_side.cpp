#include "scheduler/store_side.h"

#include <algorithm>
#include <utility>

#include "scheduler/agent_side.h"

namespace posthaste {

void StoreSide::on_up(Peer& peer) {
    if (peer_ != nullptr) on_down();
    peer_ = &peer;
    outcomes_.replay();
    scanning_ = false;
    scan_wanted_ = kNoMessage;
    scheduler_.on_store_up();
    send_waiting();
}

void StoreSide::on_down() {
    peer_ = nullptr;
    std::erase_if(released_and_held_, [](const auto& each) {
        return std::holds_alternative<MessageId>(each);  // gone with its arena
    });
    scan_wanted_.reset();
    scanning_ = false;
    scheduler_.on_store_down();
}

void StoreSide::on_room() {
    send_waiting();
    if (peer_ != nullptr) scheduler_.on_store_room();
}

void StoreSide::send_waiting() {
    if (peer_ == nullptr) return;
    outcomes_.send([this](const std::string& body) {
        return peer_->send_bytes(wire::RecordOutcome::kType, body);
    });
    say_of_content();
    send_scan_request();
}

void StoreSide::send_scan_request() {
    if (peer_ == nullptr || scanning_ || !scan_wanted_) return;
    if (!peer_->send(wire::ScanRequest{*scan_wanted_, wire::kScanEntriesMax})) return;
    scan_wanted_.reset();
    scanning_ = true;
}

void StoreSide::scan_from(MessageId after) {
    scan_wanted_ = std::min(scan_wanted_.value_or(after), after);
    send_scan_request();
}

void StoreSide::say_held(std::vector<AgentSide::HeldList> lists) {
    for (AgentSide::HeldList& list : lists) released_and_held_.emplace_back(std::move(list));
    say_of_content();
}

void StoreSide::say_of_content() {
    while (peer_ != nullptr && !released_and_held_.empty()) {
        auto& first = released_and_held_.front();
        const auto* const id = std::get_if<MessageId>(&first);
        const bool said = id != nullptr ? peer_->send(wire::ReleaseContent{*id})
                                        : say_held_part(std::get<AgentSide::HeldList>(first));
        if (!said) return;
        if (id != nullptr || std::get<AgentSide::HeldList>(first).ids.empty())
            released_and_held_.pop_front();
    }
}

// From its end. An empty list is said too: it is the agent's word.
bool StoreSide::say_held_part(AgentSide::HeldList& list) {
    const size_t count = std::min<size_t>(list.ids.size(), wire::kScanEntriesMax);
    wire::HeldContent record;
    record.agent = list.agent;
    record.ids.assign(list.ids.end() - static_cast<ptrdiff_t>(count), list.ids.end());
    record.last = count == list.ids.size();
    if (!peer_->send(record)) return false;
    list.ids.resize(list.ids.size() - count);
    return true;
}

bool StoreSide::load(MessageId id) {
    if (peer_ == nullptr || !released_and_held_.empty() || outcomes_.has_unsent()) return false;
    return peer_->send(wire::LoadMessage{id, true});
}

void StoreSide::release(MessageId id) {
    if (peer_ == nullptr) return;
    if (!released_and_held_.empty() || !peer_->send(wire::ReleaseContent{id}))
        released_and_held_.emplace_back(id);
}

uint64_t StoreSide::record(wire::RecordOutcome& outcome, bool final) {
    const uint64_t sequence = outcomes_.add(outcome, final);
    if (peer_ != nullptr) {
        outcomes_.send([this](const std::string& body) {
            return peer_->send_bytes(wire::RecordOutcome::kType, body);
        });
    }
    return sequence;
}

bool StoreSide::on_record(uint16_t type, std::string_view body) {
    switch (type) {
        case wire::QueuedMessage::kType:
            if (!wire::decode(body, queued_)) return false;
            scheduler_.on_queued(queued_.envelope, queued_.state, queued_.content);
            return true;
        case wire::MessageGone::kType: {
            wire::MessageGone gone;
            if (!wire::decode(body, gone)) return false;
            scheduler_.on_gone(gone.id);
            return true;
        }
        case wire::ScanPage::kType:
            return on_scan_page(body);
        case wire::AnnounceGap::kType: {
            wire::AnnounceGap gap;
            if (!wire::decode(body, gap)) return false;
            scan_from(gap.first_id == kNoMessage ? kNoMessage : gap.first_id - 1);
            return true;
        }
        case wire::OutcomeRecorded::kType:
            return on_recorded(body);
        default:
            return false;
    }
}

bool StoreSide::on_scan_page(std::string_view body) {
    if (!scanning_ || !wire::decode(body, page_)) return false;
    scanning_ = false;
    for (const wire::ScanEntry& entry : page_.entries) scheduler_.on_scanned(entry);
    const bool last = page_.last || page_.entries.empty();
    if (!last) {
        scan_from(page_.entries.back().id);
    } else if (scan_wanted_) {
        send_scan_request();
    } else {
        scheduler_.on_scan_complete();
    }
    return true;
}

bool StoreSide::on_recorded(std::string_view body) {
    wire::OutcomeRecorded recorded;
    if (!wire::decode(body, recorded)) return false;
    outcomes_.recorded(recorded.sequence,
                       [this](MessageId id, bool final) { scheduler_.on_recorded(id, final); });
    agents_.on_recorded(outcomes_.recorded_up_to());
    return true;
}

}  // namespace posthaste
