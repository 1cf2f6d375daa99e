// An envelope record from another process or the disk. What is accepted has one encoding only, so a
// record cannot mean one thing to the store and another to qmgr.
#include <string>

#include "mail/envelope.h"

#include "tests/fuzz/fuzz.h"

using namespace posthaste;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view bytes = fuzz::text_of(data, size);
    const auto envelope = decode_envelope(bytes);
    // Whoever only passes it on sees the same.
    const auto summary = check_envelope(bytes);
    ASSERT(summary.has_value() == envelope.has_value());
    const MessageId id = id_of_envelope(bytes);
    if (!envelope) return 0;
    ASSERT(summary->id == envelope->id && summary->size_bytes == envelope->size_bytes);
    ASSERT(id == envelope->id);
    ASSERT(!envelope->recipients.empty() && envelope->recipients.size() <= kRecipientsMax);
    ASSERT(!fuzz::has_control(envelope->sender) && !fuzz::has_control(envelope->helo));
    for (const Recipient& recipient : envelope->recipients) {
        ASSERT(!recipient.address.empty() && !fuzz::has_control(recipient.address));
        ASSERT(!fuzz::has_control(recipient.original_recipient));
    }
    ASSERT(envelope_fits(*envelope));
    std::string again;
    encode_envelope(*envelope, again);
    ASSERT(again == bytes);
    return 0;
}
