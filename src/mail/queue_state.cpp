// Version 1, little-endian:
//
//   offset size field
//        0    1 version = 1
//        1    1 queue (QueueName)
//        2    4 group count
//        6    - groups: {u32 due_s, u16 attempts, u32 recipient count ≥ 1, u32 recipient …}
//
// A recipient's number is below kRecipientsMax and stands in one group only.
#include "mail/queue_state.h"

#include <algorithm>
#include <bitset>

#include "base/assert.h"
#include "base/bytes.h"

namespace posthaste {

namespace {

constexpr uint8_t kVersion = 1;

Error malformed(const char* where) { return {Errc::malformed, 0, where}; }

// Reads the head; the groups follow. False: not ours.
bool read_head(ByteReader& in, QueueName& queue, uint32_t& group_count) {
    const auto version = in.number<uint8_t>();
    const auto queue_number = in.number<uint8_t>();
    group_count = in.number<uint32_t>();
    queue = static_cast<QueueName>(queue_number);
    return in.ok() && version == kVersion &&
           queue_number <= static_cast<uint8_t>(QueueName::corrupt) &&
           group_count <= kRecipientsMax;
}

struct GroupHead {
    uint32_t due_s;
    uint16_t attempts;
    uint32_t recipient_count;
};

GroupHead read_group_head(ByteReader& in) {
    GroupHead head{};
    head.due_s = in.number<uint32_t>();
    head.attempts = in.number<uint16_t>();
    head.recipient_count = in.number<uint32_t>();
    if (head.recipient_count == 0 || head.recipient_count > kRecipientsMax) in.fail();
    return head;
}

}  // namespace

const char* name_of(QueueName queue) noexcept {
    switch (queue) {
        case QueueName::active:
            return "active";
        case QueueName::deferred:
            return "deferred";
        case QueueName::hold:
            return "hold";
        case QueueName::corrupt:
            return "corrupt";
    }
    return "unknown";
}

uint32_t QueueState::due_s() const noexcept {
    if (groups.empty()) return 0;
    uint32_t earliest = UINT32_MAX;
    for (const PendingGroup& group : groups) earliest = std::min(earliest, group.due_s);
    return earliest;
}

void encode_queue_state(const QueueState& state, std::string& out) {
    out.clear();
    ByteWriter writer(out);
    uint32_t group_count = 0;
    for (const PendingGroup& group : state.groups) group_count += group.recipients.empty() ? 0 : 1;
    writer.number(kVersion);
    writer.number(state.queue);
    writer.number(group_count);
    for (const PendingGroup& group : state.groups) {
        if (group.recipients.empty()) continue;
        writer.number(group.due_s);
        writer.number(group.attempts);
        writer.number(static_cast<uint32_t>(group.recipients.size()));
        for (const uint32_t recipient : group.recipients) {
            ASSERT(recipient < kRecipientsMax);
            writer.number(recipient);
        }
    }
}

Result<QueueState> decode_queue_state(std::string_view bytes) {
    if (bytes.size() > kQueueStateBytesMax) return Error{Errc::too_large, 0, "queue state"};
    ByteReader in(bytes);
    QueueState state;
    uint32_t group_count = 0;
    if (!read_head(in, state.queue, group_count)) return malformed("queue state");
    std::bitset<kRecipientsMax> seen;
    for (uint32_t i = 0; i < group_count; ++i) {
        const GroupHead head = read_group_head(in);
        const std::string_view raw = in.raw(size_t{head.recipient_count} * sizeof(uint32_t));
        if (!in.ok()) return malformed("queue state group");
        PendingGroup& group = state.groups.emplace_back();
        group.due_s = head.due_s;
        group.attempts = head.attempts;
        group.recipients.reserve(head.recipient_count);
        ByteReader numbers(raw);
        for (uint32_t k = 0; k < head.recipient_count; ++k) {
            const auto recipient = numbers.number<uint32_t>();
            if (recipient >= kRecipientsMax) return malformed("queue state recipient");
            if (seen.test(recipient)) return malformed("queue state recipient named twice");
            seen.set(recipient);
            group.recipients.push_back(recipient);
        }
    }
    if (!in.complete()) return malformed("queue state length");
    return state;
}

Result<QueueStateSummary> summarize_queue_state(std::string_view bytes) {
    if (bytes.size() > kQueueStateBytesMax) return Error{Errc::too_large, 0, "queue state"};
    ByteReader in(bytes);
    QueueStateSummary summary{QueueName::active, 0};
    uint32_t group_count = 0;
    if (!read_head(in, summary.queue, group_count)) return malformed("queue state");
    uint32_t earliest = group_count == 0 ? 0 : UINT32_MAX;
    for (uint32_t i = 0; i < group_count; ++i) {
        const GroupHead head = read_group_head(in);
        in.raw(size_t{head.recipient_count} * sizeof(uint32_t));
        if (!in.ok()) return malformed("queue state group");
        earliest = std::min(earliest, head.due_s);
    }
    if (!in.complete()) return malformed("queue state length");
    summary.due_s = earliest;
    return summary;
}

}  // namespace posthaste
