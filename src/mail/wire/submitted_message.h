// mail/wire/submitted_message.h: smtpd (pickup, bounce, local) → cleanup and back.
//
//   smtpd ── SubmitMessage ──► cleanup      bytes stay in smtpd's arena, lent until the answer
//   smtpd ◄── SubmitResult ─── cleanup      250 only when the message is on stable storage
//   both ways also LeaseRequest / LeaseGrant (id_lease.h)
//   smtpd ◄── NoMoreMail ───── cleanup      it is going, and answers what it has
//   smtpd ─── NoMoreMail ────► cleanup      nothing comes behind this
//
// If cleanup dies, smtpd answers 451 4.3.0 for what it held there and quarantines the blocks until
// the store has let go of that cleanup's requests (runtime/arena.h).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "mail/envelope.h"
#include "mail/wire/extent.h"
#include "mail/wire/id_lease.h"

namespace posthaste::wire {

// The longest header section that cleanup writes; and what is left of a message for its sender, so
// that the store's copy of both is no longer than a message may be.
inline constexpr uint64_t kHeaderWrittenBytesMax = uint64_t{2} * 1024 * 1024;
inline constexpr uint64_t kSubmittedBytesMax = kContentBytesMax - kHeaderWrittenBytesMax;

struct SubmitMessage {
    static constexpr uint16_t kType = 3;
    uint64_t cookie = 0;
    std::string_view envelope;    // mail/envelope.h encoding, id from smtpd's lease
    std::vector<Extent> content;  // header and body as received, CRLF lines, dots un-stuffed

    template <class Codec>
    void visit(Codec& codec) {
        codec(cookie);
        codec.text(envelope, kEnvelopeBytesMax);
        codec.list(content, kExtentsMax);
    }
};

struct SubmitResult {
    static constexpr uint16_t kType = 4;
    uint64_t cookie = 0;
    uint16_t code = 451;    // the SMTP reply: 250, 451, 452, 550 …
    std::string_view dsn;   // "2.0.0"
    std::string_view text;  // for 250 empty: smtpd says "Ok: queued as ID"

    template <class Codec>
    void visit(Codec& codec) {
        codec(cookie);
        codec(code);
        codec.text(dsn, 16);
        codec.text(text, 1024);
    }
};

// From cleanup to each of its submitters when another one has its place, or will have; and back.
struct NoMoreMail {
    static constexpr uint16_t kType = 5;

    template <class Codec>
    void visit(Codec&) {}
};

}  // namespace posthaste::wire
