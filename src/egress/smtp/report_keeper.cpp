#include "egress/smtp/report_keeper.h"

#include <algorithm>

#include "base/deliberate_bug.h"

namespace posthaste::smtp {

void ReportKeeper::add(wire::DeliveryReport& report) {
    report.sequence = ++sequence_;
    records_.push_back({sequence_, wire::DeliveryReport::kType, {}});
    wire::encode(report, records_.back().bytes);
}

void ReportKeeper::add(const wire::LaneClosed& closed) {
    records_.push_back({0, wire::LaneClosed::kType, {}});
    wire::encode(closed, records_.back().bytes);
}

void ReportKeeper::add_first(const wire::JobsHeld& held) {
    first_.push_back({0, wire::JobsHeld::kType, {}});
    wire::encode(held, first_.back().bytes);
}

void ReportKeeper::flush(Peer* qmgr) {
    if (qmgr == nullptr) return;
    while (!first_.empty()) {
        if (!qmgr->send_bytes(first_.front().type, first_.front().bytes)) return;
        first_.pop_front();
    }
    while (sent_ < records_.size() && qmgr->send_bytes(records_[sent_].type, records_[sent_].bytes))
        ++sent_;
    while (sent_ > 0 && records_.front().sequence == 0) {
        records_.pop_front();
        --sent_;
    }
}

void ReportKeeper::on_taken(uint64_t sequence) {
    while (sent_ > 0 && records_.front().sequence <= sequence) {
        records_.pop_front();
        --sent_;
    }
}

void ReportKeeper::on_qmgr_gone() {
    if (has_bug(DeliberateBug::drop_reports)) records_.clear();
    first_.clear();
    std::erase_if(records_, [](const Record& record) { return record.sequence == 0; });
    sent_ = 0;
    std::string bytes;
    for (Record& record : records_) {
        wire::DeliveryReport report;
        if (!wire::decode(record.bytes, report) || report.lane == 0) continue;
        report.lane = 0;
        wire::encode(report, bytes);
        record.bytes.swap(bytes);
    }
}

}  // namespace posthaste::smtp
