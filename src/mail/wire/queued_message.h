// mail/wire/queued_message.h: store ◄──► qmgr.
//
//   store ── QueuedMessage ──► qmgr    a message just made durable, or the answer to LoadMessage; its
//                                      bytes are lent from the store's arena until ReleaseContent
//   store ── MessageGone ────► qmgr    LoadMessage of an id the store does not hold, or could not
//                                      read: then it is in quarantine, or waits for the next start
//   qmgr ── ScanRequest ────► store    the index, page by page, ascending ids: at start, and again
//   store ── ScanPage ──────► qmgr     from `after` whenever the store said announcements were dropped
//   store ── AnnounceGap ───► qmgr     qmgr's ring was full: messages from first_id on were not
//                                      announced
//   qmgr ── RecordOutcome ──► store    remove a message, or its new state and reasons
//   store ── OutcomeRecorded ► qmgr    sequence numbers up to and including this one are in the log
//   qmgr ── ReleaseContent ─► store    its bytes are no longer needed by any agent
//   qmgr ── HeldContent ────► store    after a restart of qmgr: the only messages whose bytes agents
//                                      still hold; what else was lent to the qmgr before it may be
//                                      taken back
//
// qmgr keeps every RecordOutcome until it is recorded and replays them to a new store; recording
// one twice, or for a message that is gone, is harmless.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "mail/envelope.h"
#include "mail/queue_state.h"
#include "mail/wire/extent.h"

namespace posthaste::wire {

struct QueuedMessage {
    static constexpr uint16_t kType = 1;
    std::string_view envelope;    // mail/envelope.h encoding
    std::string_view state;       // mail/queue_state.h encoding; empty = all recipients due now
    std::vector<Extent> content;  // empty: not loaded (the arena was full); ask with LoadMessage

    template <class Codec>
    void visit(Codec& codec) {
        codec.text(envelope, kEnvelopeBytesMax);
        codec.text(state, kQueueStateBytesMax);
        codec.list(content, kExtentsMax);
    }
};

struct MessageGone {
    static constexpr uint16_t kType = 2;
    MessageId id = kNoMessage;

    template <class Codec>
    void visit(Codec& codec) {
        codec(id);
    }
};

struct ScanEntry {
    MessageId id = kNoMessage;
    uint32_t due_s = 0;  // earliest next attempt, unix seconds; 0 = now
    QueueName queue = QueueName::active;

    template <class Codec>
    void visit(Codec& codec) {
        codec(id);
        codec(due_s);
        codec(queue);
    }
};

inline constexpr uint32_t kScanEntriesMax = 4096;

struct ScanPage {
    static constexpr uint16_t kType = 3;
    std::vector<ScanEntry> entries;
    bool last = false;

    template <class Codec>
    void visit(Codec& codec) {
        codec.list(entries, kScanEntriesMax);
        codec(last);
    }
};

struct AnnounceGap {
    static constexpr uint16_t kType = 4;
    MessageId first_id = kNoMessage;

    template <class Codec>
    void visit(Codec& codec) {
        codec(first_id);
    }
};

struct OutcomeRecorded {
    static constexpr uint16_t kType = 5;
    uint64_t sequence = 0;

    template <class Codec>
    void visit(Codec& codec) {
        codec(sequence);
    }
};

struct ScanRequest {
    static constexpr uint16_t kType = 16;
    MessageId after = kNoMessage;  // the last id already known
    uint32_t count_max = kScanEntriesMax;

    template <class Codec>
    void visit(Codec& codec) {
        codec(after);
        codec(count_max);
    }
};

struct LoadMessage {
    static constexpr uint16_t kType = 17;
    MessageId id = kNoMessage;
    bool with_content = true;

    template <class Codec>
    void visit(Codec& codec) {
        codec(id);
        codec(with_content);
    }
};

struct ReleaseContent {
    static constexpr uint16_t kType = 18;
    MessageId id = kNoMessage;

    template <class Codec>
    void visit(Codec& codec) {
        codec(id);
    }
};

struct RecipientReason {
    uint32_t recipient = 0;  // its number in the envelope
    std::string_view dsn;
    std::string_view text;

    template <class Codec>
    void visit(Codec& codec) {
        codec(recipient);
        codec.text(dsn, 16);
        codec.text(text, kReasonBytesMax);
    }
};

struct RecordOutcome {
    static constexpr uint16_t kType = 19;
    uint64_t sequence = 0;  // ascending without gaps within one qmgr's life
    MessageId id = kNoMessage;
    bool remove = false;     // every recipient is finished: delete all its records
    bool had_state = false;  // a state (and perhaps reasons) was recorded before
    std::string_view state;  // when not removed: mail/queue_state.h encoding, replaces the old one
    std::vector<RecipientReason> reasons;  // merged into those recorded before

    template <class Codec>
    void visit(Codec& codec) {
        codec(sequence);
        codec(id);
        codec(remove);
        codec(had_state);
        codec.text(state, kQueueStateBytesMax);
        codec.list(reasons, kRecipientsMax);
    }
};

struct HeldContent {
    static constexpr uint16_t kType = 20;
    std::vector<MessageId> ids;  // in several records when many; `last` ends the list
    bool last = true;
    uint32_t agent = 0;  // whose list it is, by incarnation

    template <class Codec>
    void visit(Codec& codec) {
        codec.list(ids, kScanEntriesMax);
        codec(last);
        codec(agent);
    }
};

}  // namespace posthaste::wire
