// mail/envelope.h: who sent a message, to whom, and what DSN was asked for: all that travels beside
// the bytes. One encoding serves every ring from cleanup on and the store's `envelope` column
// family.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

#include "mail/queue_id.h"

namespace posthaste {

enum class DsnReturn : uint8_t { unset = 0, full = 1, headers = 2 };  // RFC 3461 RET=

inline constexpr uint8_t kNotifyUnset = 0;
inline constexpr uint8_t kNotifyNever = 1;
inline constexpr uint8_t kNotifySuccess = 2;
inline constexpr uint8_t kNotifyFailure = 4;
inline constexpr uint8_t kNotifyDelay = 8;

inline constexpr uint32_t kRecipientsMax = 10'000;         // of one message, whatever is configured
inline constexpr uint32_t kEnvelopeBytesMax = 512 * 1024;  // encoded; fits a ring record
inline constexpr size_t kOrcptBytesMax = 768;       // "type;address"; RFC 3461 4.2 asks for 500
inline constexpr size_t kEnvelopeIdBytesMax = 256;  // RFC 3461 4.4 asks for 100
inline constexpr size_t kClientTextBytesMax = 256;  // client name, client address, HELO, protocol

struct Recipient {
    std::string address;
    std::string original_recipient;  // ORCPT, "rfc822;a@b"; empty when not given
    uint8_t notify = kNotifyUnset;
};

struct Envelope {
    MessageId id = kNoMessage;
    int64_t arrived_wall_us = 0;  // when MAIL was accepted; the lifetime counts from here
    uint64_t size_bytes = 0;      // of the message as it will be sent (CRLF, no dot-stuffing)
    std::string sender;
    std::vector<Recipient> recipients;  // their position is their number for the whole life
    bool smtputf8 = false;
    bool body_8bit = false;
    DsnReturn dsn_return = DsnReturn::unset;
    std::string envelope_id;
    std::string client_name;     // "unknown" when there is no PTR
    std::string client_address;  // "192.0.2.1", without brackets
    std::string helo;
    std::string protocol;  // "SMTP", "ESMTP", "ESMTPS" …
};

// Version 1, little-endian, texts as {u32 length, bytes}; drawn in envelope.cpp. Replaces `out`.
//
// What only informs (client, HELO, protocol, envelope id) is made to fit: cut at its bound,
// controls as '?'. Addresses go in as they are: one that no parser of ours let through, or more
// than the bounds allow, makes a record that decode_envelope refuses. envelope_fits() says so
// beforehand.
void encode_envelope(const Envelope& envelope, std::string& out);
bool envelope_fits(const Envelope& envelope) noexcept;

// Foreign bytes: every bound above and every count is checked; addresses hold no controls; there is
// at least one recipient. malformed or too_large. Never allocates more than a small multiple of
// `bytes`.
Result<Envelope> decode_envelope(std::string_view bytes);
// Of what may not decode: whose it says it is; kNoMessage when it does not even say that.
MessageId id_of_envelope(std::string_view bytes) noexcept;

// For whoever only passes an envelope on: checked as decode_envelope() does, without allocating.
struct EnvelopeSummary {
    MessageId id = kNoMessage;
    uint64_t size_bytes = 0;
};

Result<EnvelopeSummary> check_envelope(std::string_view bytes);

}  // namespace posthaste
