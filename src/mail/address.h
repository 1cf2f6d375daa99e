// mail/address.h: mail addresses as RFC 5321 section 4.1.2 writes them, and RFC 6531 where SMTPUTF8
// was asked for. An address is kept as the text between the angle brackets, unquoted only where
// compared.
//
// Two measures of what an address is. parse_path() is for envelopes and lenient where the world's
// mail is: empty atoms (a..b@c), underscores in domains. is_valid_address() is RFC 5321 to the
// letter. What either lets through can be sent on in a command, written to a log or put in a
// header: it holds no control, no NUL, no blank and no bracket outside quotes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace posthaste {

inline constexpr size_t kLocalPartBytesMax = 64;  // RFC 5321 4.5.3.1.1; longer ones are accepted
inline constexpr size_t kDomainBytesMax = 255;    // RFC 5321 4.5.3.1.2
inline constexpr size_t kAddressBytesMax = 512;   // bound of a whole address anywhere in the relay

struct AddressParse {
    std::string_view address;  // without <>, without source route; empty for <>
    std::string_view rest;     // what follows the closing bracket (parameters), untrimmed
};

// Parses the path of MAIL FROM or RCPT TO: "<a@b> SIZE=1". Accepts, as Postfix does by default
// (strict_rfc821_envelopes = no), a missing pair of brackets and blanks before the path; a source
// route <@a,@b:c@d> is dropped, and so is one dot at the domain's end. Refuses NUL, CR, LF,
// controls, unbalanced quotes, a local part that is quoted in part, an IP address without brackets
// for a domain, special characters outside quotes, and bytes over 127 unless
// allow_utf8 (and then what is not UTF-8). `rest` is empty or begins with a blank. Neither throws
// nor allocates.
std::optional<AddressParse> parse_path(std::string_view text, bool allow_utf8) noexcept;

// The whole text is one valid address with or without a domain: dot-string or quoted-string local
// part, domain of LDH labels or an address literal. At most kAddressBytesMax bytes.
bool is_valid_address(std::string_view address, bool allow_utf8) noexcept;

// After the last unquoted '@'; empty when there is none. Case as given.
std::string_view domain_of(std::string_view address) noexcept;
std::string_view local_part_of(std::string_view address) noexcept;

// LDH labels and "_", as in Postfix; not all-numeric, at most 255 bytes.
bool is_valid_hostname(std::string_view name) noexcept;
bool is_address_literal(std::string_view domain) noexcept;  // "[192.0.2.1]", "[IPv6:…]"

// Well-formed UTF-8 (no overlong forms, surrogates or code points over U+10FFFF). ASCII is UTF-8.
bool is_utf8(std::string_view text) noexcept;
bool is_ascii(std::string_view text) noexcept;

// As it stands in a command: the local part quoted where RFC 5321 asks for it and nowhere else.
// foo..bar@x goes as "foo..bar"@x, "user"@x as user@x; the mailbox is the same.
void append_external(std::string& out, std::string_view address);

// For comparing and for destinations: domain lowered (ASCII only), local part as it is.
std::string canonical_address(std::string_view address);

}  // namespace posthaste
