// A record of one of the wires between services, as the other process may have written it: the
// choice ('A' and on: which record, in the order below), then its bytes. What is accepted keeps
// every bound of its wire, means the same when it is written out again, and no piece of it is a
// record of the same kind.
#include <string>

#include "base/codec.h"

#include "mail/wire/commit_request.h"
#include "mail/wire/delivery_job.h"
#include "mail/wire/delivery_report.h"
#include "mail/wire/queued_message.h"
#include "mail/wire/resolve.h"
#include "mail/wire/submitted_message.h"
#include "runtime/log_line.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/record.h"

using namespace posthaste;

namespace {

// Stable numbers: new ones at the end.
constexpr void (*kChecks[])(std::string_view) = {
    fuzz::check_record<wire::LeaseRequest>,       // A
    fuzz::check_record<wire::LeaseGrant>,         // B
    fuzz::check_record<wire::SubmitMessage>,      // C
    fuzz::check_record<wire::SubmitResult>,       // D
    fuzz::check_record<wire::CommitRequest>,      // E
    fuzz::check_record<wire::CommitResult>,       // F
    fuzz::check_record<wire::QueuedMessage>,      // G
    fuzz::check_record<wire::MessageGone>,        // H
    fuzz::check_record<wire::ScanPage>,           // I
    fuzz::check_record<wire::AnnounceGap>,        // J
    fuzz::check_record<wire::OutcomeRecorded>,    // K
    fuzz::check_record<wire::ScanRequest>,        // L
    fuzz::check_record<wire::LoadMessage>,        // M
    fuzz::check_record<wire::ReleaseContent>,     // N
    fuzz::check_record<wire::RecordOutcome>,      // O
    fuzz::check_record<wire::HeldContent>,        // P
    fuzz::check_record<wire::LaneOpen>,           // Q
    fuzz::check_record<wire::DeliveryJob>,        // R
    fuzz::check_record<wire::LaneClose>,          // S
    fuzz::check_record<wire::ReportTaken>,        // T
    fuzz::check_record<wire::DeliveryReport>,     // U
    fuzz::check_record<wire::LaneClosed>,         // V
    fuzz::check_record<wire::JobsHeld>,           // W
    fuzz::check_record<wire::ResolveRequest>,     // X
    fuzz::check_record<wire::ResolveReply>,       // Y
    fuzz::check_record<wire::ClientNameRequest>,  // Z
    fuzz::check_record<wire::ClientNameReply>,    // [
    fuzz::check_record<wire::LogLine>,            // backslash
    fuzz::check_record<wire::NoMoreMail>,         // ]
    fuzz::check_record<wire::LogEntry>,           // ^
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view bytes = fuzz::text_of(data, size);
    const auto choice = static_cast<uint8_t>(fuzz::take_choice(bytes) - 'A');
    kChecks[choice % std::size(kChecks)](bytes);
    return 0;
}
