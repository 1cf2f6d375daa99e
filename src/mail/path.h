// mail/path.h: the path of MAIL FROM and RCPT TO (RFC 5321 4.1.2), read as Postfix reads it.
//
// What old clients write is understood (strict_rfc821_envelopes = no): no brackets, or too many;
// comments; blanks around; quoted-pairs outside quotes; a source route, which is dropped; several
// '@', of which the last one counts; a final dot. Whatever way an address is written, it has one
// form inside: its local part is quoted where RFC 5321 asks for it and nowhere else. So a look-up
// can not be passed by writing "user"@x for user@x.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace posthaste {

struct PathRules {
    bool utf8 = false;    // bytes over 127 may stand in it, as UTF-8
    bool strict = false;  // strict_rfc821_envelopes: brackets, no comment, a local part
};

struct Path {
    std::string address;     // empty for <>
    std::string_view given;  // as it was written, without the brackets
    std::string_view rest;   // what follows (parameters): empty, or begins with a blank
};

// Nothing: it is no address, or more than one, or more than kAddressBytesMax. What comes out can be
// sent on in a command, written to a log or put in a header: it holds no control and no NUL, and no
// blank or special character outside quotes.
std::optional<Path> parse_path(std::string_view text, PathRules rules);

}  // namespace posthaste
