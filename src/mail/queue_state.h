// mail/queue_state.h: where a message stands between attempts: which queue, which recipients are
// still to be served, and when. The value of the store's `state` column family and part of the
// store ◄──► qmgr wire. A message without a state is active and all its recipients are due at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

#include "mail/envelope.h"

namespace posthaste {

enum class QueueName : uint8_t { active = 0, deferred = 1, hold = 2, corrupt = 3 };
const char* name_of(QueueName queue) noexcept;

inline constexpr size_t kReasonBytesMax = 4096;
inline constexpr size_t kQueueStateBytesMax = 512 * 1024;

// When recipients are due that are held: until somebody says otherwise.
inline constexpr uint32_t kNeverDue = UINT32_MAX;

// Recipients of one destination that wait together.
struct PendingGroup {
    uint32_t due_s = 0;                // next attempt not before, unix seconds; kNeverDue: held
    uint16_t attempts = 0;             // so far
    std::vector<uint32_t> recipients;  // numbers in the envelope
};

struct QueueState {
    QueueName queue = QueueName::active;
    std::vector<PendingGroup> groups;  // a recipient in no group is finished
    uint32_t due_s() const noexcept;   // the earliest; 0 without groups
};

// Version 1, little-endian; drawn in queue_state.cpp.
void encode_queue_state(const QueueState& state, std::string& out);
Result<QueueState> decode_queue_state(std::string_view bytes);

// Only the two fields a scan needs, without reading the groups' recipients into memory.
struct QueueStateSummary {
    QueueName queue;
    uint32_t due_s;
};

Result<QueueStateSummary> summarize_queue_state(std::string_view bytes);

}  // namespace posthaste
