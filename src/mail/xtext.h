// mail/xtext.h: RFC 3461 section 4 xtext ("+2B" for '+').
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace posthaste {

std::string to_xtext(std::string_view text);
// Nothing for a bad escape or a bare control. Takes what others write although RFC 3461 does not:
// '=', lower-case hex digits, and bytes over 127 (RFC 6533). An escape may stand for any byte, NUL
// and controls included: the caller says what it can bear.
std::optional<std::string> from_xtext(std::string_view text);

// RFC 6533 section 3: an address of type utf-8, as ORCPT carries it. What a parameter can not hold
// goes as "\x{2B}"; so does what is not ASCII when the server has no SMTPUTF8. Escapes that are
// there already stay.
std::string to_utf8_xtext(std::string_view address, bool server_knows_utf8);

}  // namespace posthaste
