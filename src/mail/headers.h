// mail/headers.h: the header section of a message (RFC 5322 2.2), as cleanup reads it: which fields
// are there, where each begins and ends, where the body begins. One pass, no copy; views into the
// given bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace posthaste {

enum class Field : uint8_t {
    other,
    from,
    sender,
    to,
    cc,
    bcc,
    date,
    message_id,
    received,
    delivered_to,
    return_path,
    subject,
    resent_from,
    resent_date,
    resent_message_id,
    resent_to,
    resent_cc,
    resent_bcc,
    content_length,
    reply_to,
    mime_version,
    content_type,
    content_transfer_encoding,
};

struct HeaderField {
    Field field = Field::other;
    std::string_view name;   // as written, without ':' and blanks before it
    std::string_view value;  // after ':' and one blank, folding kept, without the final CRLF
    std::string_view whole;  // name through final CRLF, folded lines included
};

struct HeaderSection {
    std::vector<HeaderField> fields;
    size_t header_bytes = 0;  // header fields only
    size_t body_offset = 0;   // where the body begins: behind the empty line, or at the first line
                              // that is no header (then an empty line must be put in between)
    bool has_blank_line = false;
    bool truncated = false;       // no end of the header within the given bytes
    uint32_t received_count = 0;  // Received: fields, for hopcount_limit
};

// `message` is the message's beginning, CRLF lines. Bounded by fields_max; further fields are body.
//
// Only whole lines are looked at. When the bytes end before the header does (truncated), what
// follows the last whole line is body as far as `out` says, and the last field may go on in bytes
// not seen; a whole message that is all header reads the same way. Reuse `out`: its vector keeps
// its memory.
void parse_headers(std::string_view message, size_t fields_max, HeaderSection& out);

// By name without ':', case ignored. Field::other for what has no name here.
Field field_named(std::string_view name) noexcept;

// Every address in a From/To/Cc value (RFC 5322 3.4): groups, comments, display names, quoted
// strings. Views into `value`, without <> and source route, as written otherwise: no controls, no
// blanks outside quotes; an address without a domain is one. At most addresses_max. Returns false
// when the value does not parse to its end (or what stands there is no address), with what was
// found until then. Replaces `out`.
bool addresses_in(std::string_view value, size_t addresses_max, std::vector<std::string_view>& out);

}  // namespace posthaste
