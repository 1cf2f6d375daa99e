#include "scheduler/store_side.h"

#include <algorithm>
#include <utility>

#include "scheduler/agent_side.h"

namespace posthaste {

void StoreSide::on_up(Peer& peer) {
    peer_ = &peer;
    outcomes_.replay();
    scanning_ = false;
    scan_wanted_ = kNoMessage;
    scheduler_.on_store_up();
    send_waiting();
}

void StoreSide::on_down() {
    peer_ = nullptr;
    releases_.clear();
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
    size_t sent = 0;
    while (sent < releases_.size() && peer_->send(wire::ReleaseContent{releases_[sent]})) ++sent;
    releases_.erase(releases_.begin(), releases_.begin() + static_cast<ptrdiff_t>(sent));
    send_held();
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
    for (AgentSide::HeldList& list : lists) held_.push_back(std::move(list));
    send_held();
}

void StoreSide::send_held() {
    while (peer_ != nullptr && !held_.empty()) {
        std::vector<MessageId>& ids = held_.front().ids;
        const size_t count = std::min<size_t>(ids.size(), wire::kScanEntriesMax);
        wire::HeldContent record;
        record.agent = held_.front().agent;
        record.ids.assign(ids.end() - static_cast<ptrdiff_t>(count), ids.end());
        record.last = count == ids.size();
        if (!peer_->send(record)) return;
        ids.resize(ids.size() - count);
        if (record.last) held_.pop_front();
    }
}

bool StoreSide::load(MessageId id) {
    if (peer_ == nullptr || !releases_.empty() || outcomes_.has_unsent()) return false;
    return peer_->send(wire::LoadMessage{id, true});
}

void StoreSide::release(MessageId id) {
    if (peer_ == nullptr) return;
    if (!releases_.empty() || !peer_->send(wire::ReleaseContent{id})) releases_.push_back(id);
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
