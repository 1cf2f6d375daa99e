// ingress/smtpd/transaction.h: everything that MAIL begins and that must not outlive the
// transaction. All of it in one struct with one reset(): what is forgotten here would be policy or
// content of the next message.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "mail/body_normalizer.h"
#include "mail/data_scanner.h"
#include "mail/envelope.h"

namespace posthaste::smtpd {

struct Transaction {
    Envelope envelope;          // its client fields are filled when the message is whole
    size_t envelope_bytes = 0;  // of addresses, about: bounded so that the record fits its ring
    uint32_t recipients_overshot = 0;
    uint64_t received_bytes = 0;  // content so far, as stored
    std::string refusal;  // what the end of the message will be answered; empty: nothing is wrong
    bool saw_bare_newline = false;

    DataScanner scanner{BareNewline::normalize};

    // BDAT: between chunks, after a chunk that failed (RFC 3030: the rest is read and thrown away),
    // or neither.
    bool in_chunks = false;
    bool chunks_failed = false;
    bool chunk_lacks_mail = false;  // it came without MAIL; tells what may be said behind it
    bool chunk_is_last = false;
    uint64_t chunk_bytes = 0;  // of the present chunk
    uint64_t chunk_bytes_left = 0;
    uint64_t chunks_bytes = 0;  // of all chunks, as the client counts
    BodyNormalizer normalizer;

    bool has_queue_id() const noexcept { return envelope.id != kNoMessage; }

    // Back to before MAIL. Keeps memory that the next message will want, but no newsletter's worth
    // of it.
    void reset() {
        constexpr size_t kRecipientsKept = 16;
        std::vector<Recipient> recipients = std::move(envelope.recipients);
        std::string sender = std::move(envelope.sender);
        recipients.clear();
        sender.clear();
        if (recipients.capacity() > kRecipientsKept) recipients = {};
        *this = Transaction{};
        envelope.recipients = std::move(recipients);
        envelope.sender = std::move(sender);
    }
};

}  // namespace posthaste::smtpd
