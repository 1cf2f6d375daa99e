// mail/smtp_command.h: one SMTP command line, taken apart (RFC 5321 4.1.1, and the parameters of
// RFC 1870 SIZE, 6152 8BITMIME, 6531 SMTPUTF8, 3461 DSN, 3030 BDAT). Views point into the given
// line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mail/envelope.h"

namespace posthaste {

enum class Verb : uint8_t {
    unknown,
    helo,
    ehlo,
    mail,
    rcpt,
    data,
    bdat,
    rset,
    noop,
    quit,
    vrfy,
    expn,
    help,
    etrn,
    starttls,
    auth,
    xclient,
    xforward,
};

struct CommandLine {
    Verb verb = Verb::unknown;
    std::string_view word;      // the verb as the client wrote it
    std::string_view argument;  // after the verb and blanks, trailing blanks removed
};

// `line` is without its line end. Never fails: what is no command is Verb::unknown.
CommandLine parse_command_line(std::string_view line) noexcept;
const char* name_of(Verb verb) noexcept;

// What is wrong with a parameter, as the reply says it.
struct ParameterFault {
    uint16_t code = 0;          // 0 = nothing wrong
    const char* enhanced = "";  // "5.5.4"
    std::string text;           // "Unsupported option: FOO"
};

struct MailCommand {
    std::string sender;       // "" for <>; as every address inside (mail/path.h)
    uint64_t size_bytes = 0;  // SIZE=, 0 when not given
    bool body_8bit = false;   // BODY=8BITMIME
    bool smtputf8 = false;
    DsnReturn dsn_return = DsnReturn::unset;
    std::string envelope_id;  // ENVID= decoded from xtext, printable ASCII; to_xtext() to send on
};

struct RcptCommand {
    std::string recipient;
    std::string_view given;          // as the client wrote it
    uint8_t notify = kNotifyUnset;   // DsnNotify bits
    std::string original_recipient;  // ORCPT= as "type;address", xtext decoded, without controls
};

struct BdatCommand {
    uint64_t size_bytes = 0;
    bool last = false;
};

// `argument` is CommandLine::argument. Each returns what is wrong, or code 0 and the filled value;
// what is in `out` beside a fault means nothing. MAIL needs "FROM:", RCPT "TO:"; both answer
// 501 5.5.4 Syntax: MAIL FROM:<address> as Postfix does; bad addresses 501 5.1.7 (sender) and
// 501 5.1.3 (recipient).
//
// Parameters that no extension of ours defines are 555 5.5.4; AUTH= is one of them until SASL
// exists.
struct MailRules {
    bool offers_utf8 =
        false;  // SMTPUTF8: also what is not ASCII can be an address, declared or not
    bool strict_utf8 = false;  // … only declared (strict_smtputf8): 553 5.6.7
    bool strict_path = false;  // strict_rfc821_envelopes
};

ParameterFault parse_mail(std::string_view argument, MailRules rules, MailCommand& out);
// declared_utf8: MAIL has said SMTPUTF8.
ParameterFault parse_rcpt(std::string_view argument, MailRules rules, bool declared_utf8,
                          RcptCommand& out);
ParameterFault parse_bdat(std::string_view argument, BdatCommand& out);

}  // namespace posthaste
