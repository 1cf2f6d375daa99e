// mail/address.h: mail addresses as RFC 5321 section 4.1.2 writes them, and RFC 6531 where SMTPUTF8
// was asked for. Inside, an address has one form: the local part quoted where RFC 5321 asks for it
// and nowhere else (mail/path.h makes it of what a client writes).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace posthaste {

inline constexpr size_t kLocalPartBytesMax = 64;  // RFC 5321 4.5.3.1.1; longer ones are accepted
inline constexpr size_t kDomainBytesMax = 255;    // RFC 5321 4.5.3.1.2
inline constexpr size_t kAddressBytesMax = 512;   // bound of a whole address anywhere in the relay

// RFC 5322 3.2.3 atext; RFC 6531 3.3 adds every byte that is not ASCII.
bool is_atext(char c) noexcept;
bool is_dot_string(std::string_view local) noexcept;

// Good enough for an envelope: labels with "_" and beyond ASCII too, or an address literal; not an
// IP address without brackets.
bool is_envelope_domain(std::string_view domain) noexcept;

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

// The local part whose meaning `plain` is, quoted if it must be: "a b", "", a.b.
void append_local_part(std::string& out, std::string_view plain);

// As it stands in a command, for an address of unknown origin: the local part quoted where RFC 5321 asks for it and nowhere else.
// foo..bar@x goes as "foo..bar"@x, "user"@x as user@x; the mailbox is the same.
void append_external(std::string& out, std::string_view address);

// For comparing and for destinations: domain lowered (ASCII only), local part as it is.
std::string canonical_address(std::string_view address);

}  // namespace posthaste
