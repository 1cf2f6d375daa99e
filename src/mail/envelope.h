// mail/envelope.h: who sent a message, to whom, and what DSN was asked for: all that travels beside the
// bytes. One encoding serves every ring from cleanup on and the store's `envelope` column family.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mail/queue_id.h"

namespace posthaste {

enum class DsnReturn : uint8_t { unset = 0, full = 1, headers = 2 };   // RFC 3461 RET=

inline constexpr uint8_t kNotifyUnset = 0;
inline constexpr uint8_t kNotifyNever = 1;
inline constexpr uint8_t kNotifySuccess = 2;
inline constexpr uint8_t kNotifyFailure = 4;
inline constexpr uint8_t kNotifyDelay = 8;

inline constexpr uint32_t kRecipientsMax = 10'000;               // of one message, whatever is configured
inline constexpr uint32_t kEnvelopeBytesMax = 512 * 1024;        // encoded; fits a ring record

struct Recipient {
    std::string address;
    std::string original_recipient;    // ORCPT, "rfc822;a@b"; empty when not given
    uint8_t notify = kNotifyUnset;
};

struct Envelope {
    MessageId id = kNoMessage;
    int64_t arrived_wall_us = 0;       // when MAIL was accepted; the lifetime counts from here
    uint64_t size_bytes = 0;           // of the message as it will be sent (CRLF, no dot-stuffing)
    std::string sender;
    std::vector<Recipient> recipients; // their position is their number for the whole life
    bool smtputf8 = false;
    bool body_8bit = false;
    DsnReturn dsn_return = DsnReturn::unset;
    std::string envelope_id;
    std::string client_name;           // "unknown" when there is no PTR
    std::string client_address;        // "192.0.2.1", without brackets
    std::string helo;
    std::string protocol;              // "SMTP", "ESMTP", "ESMTPS" …
};

// Version 1, little-endian, texts as {u32 length, bytes}; drawn in envelope.cpp.
void encode_envelope(const Envelope& envelope, std::string& out);
// Foreign bytes: every bound above and every count is checked. malformed or too_large.
Result<Envelope> decode_envelope(std::string_view bytes);

}  // namespace posthaste
