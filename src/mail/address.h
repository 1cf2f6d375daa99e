// mail/address.h: mail addresses as RFC 5321 section 4.1.2 writes them, and RFC 6531 where SMTPUTF8 was
// asked for. An address is kept as the text between the angle brackets, unquoted only where compared.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace posthaste {

inline constexpr size_t kLocalPartBytesMax = 64;    // RFC 5321 4.5.3.1.1; accepted up to kAddressBytesMax
inline constexpr size_t kDomainBytesMax = 255;      // RFC 5321 4.5.3.1.2
inline constexpr size_t kAddressBytesMax = 512;     // bound of a whole address anywhere in the relay

struct AddressParse {
    std::string_view address;   // without <>, without source route; empty for <>
    std::string_view rest;      // what follows the closing bracket (parameters), untrimmed
};

// Parses the path of MAIL FROM or RCPT TO: "<a@b> SIZE=1". Accepts, as Postfix does by default
// (strict_rfc821_envelopes = no), a missing pair of brackets and blanks before the path; a source route
// <@a,@b:c@d> is dropped. Refuses NUL, CR, LF, controls, unbalanced quotes, and bytes over 127 unless
// allow_utf8. `none` of these throws or allocates.
std::optional<AddressParse> parse_path(std::string_view text, bool allow_utf8) noexcept;

// The whole text is one valid address with or without a domain: dot-string or quoted-string local part,
// domain of LDH labels or an address literal.
bool is_valid_address(std::string_view address, bool allow_utf8) noexcept;

// After the last unquoted '@'; empty when there is none. Case as given.
std::string_view domain_of(std::string_view address) noexcept;
std::string_view local_part_of(std::string_view address) noexcept;

bool is_valid_hostname(std::string_view name) noexcept;          // LDH labels, not all-numeric, ≤ 255
bool is_address_literal(std::string_view domain) noexcept;       // "[192.0.2.1]", "[IPv6:…]"

// For comparing and for destinations: domain lowered, local part as it is.
std::string canonical_address(std::string_view address);

}  // namespace posthaste
