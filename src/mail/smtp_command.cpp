#include "mail/smtp_command.h"

#include <utility>

#include "base/strings.h"

#include "mail/address.h"
#include "mail/path.h"
#include "mail/xtext.h"

namespace posthaste {
namespace {

std::string_view without_leading_blanks(std::string_view text) noexcept {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    return text;
}

std::string_view without_trailing_blanks(std::string_view text) noexcept {
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

// Takes the next word off the front of `rest`; empty at the end.
std::string_view next_word(std::string_view& rest) noexcept {
    rest = without_leading_blanks(rest);
    size_t size = 0;
    while (size < rest.size() && !is_blank(rest[size])) ++size;
    const std::string_view word = rest.substr(0, size);
    rest.remove_prefix(size);
    return word;
}

// A verb as one number: its lowered letters, the first one lowest. No verb is longer than eight; 0
// for what cannot be one (a NUL would hide behind the verb before it).
constexpr uint64_t packed(std::string_view word) noexcept {
    uint64_t value = 0;
    if (word.size() > 8) return 0;
    for (size_t i = 0; i < word.size(); ++i) {
        if (word[i] == '\0') return 0;
        value |= static_cast<uint64_t>(static_cast<unsigned char>(to_lower(word[i]))) << (8 * i);
    }
    return value;
}

Verb verb_named(std::string_view word) noexcept {
    switch (packed(word)) {
        case packed("helo"):
            return Verb::helo;
        case packed("ehlo"):
            return Verb::ehlo;
        case packed("mail"):
            return Verb::mail;
        case packed("rcpt"):
            return Verb::rcpt;
        case packed("data"):
            return Verb::data;
        case packed("bdat"):
            return Verb::bdat;
        case packed("rset"):
            return Verb::rset;
        case packed("noop"):
            return Verb::noop;
        case packed("quit"):
            return Verb::quit;
        case packed("vrfy"):
            return Verb::vrfy;
        case packed("expn"):
            return Verb::expn;
        case packed("help"):
            return Verb::help;
        case packed("etrn"):
            return Verb::etrn;
        case packed("starttls"):
            return Verb::starttls;
        case packed("auth"):
            return Verb::auth;
        case packed("xclient"):
            return Verb::xclient;
        case packed("xforward"):
            return Verb::xforward;
        default:
            return Verb::unknown;
    }
}

ParameterFault fault(uint16_t code, const char* enhanced, std::string text) {
    return {code, enhanced, std::move(text)};
}

ParameterFault unsupported(std::string_view parameter) {
    return fault(555, "5.5.4", "Unsupported option: " + printable(parameter, 100));
}

// The value when the parameter has this name ("SIZE=", case ignored).
bool has_name(std::string_view parameter, std::string_view name, std::string_view& value) noexcept {
    if (!starts_with_ignoring_case(parameter, name)) return false;
    value = parameter.substr(name.size());
    return true;
}

bool all_digits(std::string_view text) noexcept {
    for (const char c : text) {
        if (!is_digit(c)) return false;
    }
    return !text.empty();
}

// NEVER alone, or any of the others (RFC 3461 4.1). kNotifyUnset for anything else.
uint8_t notify_bits(std::string_view value) noexcept {
    if (equals_ignoring_case(value, "NEVER")) return kNotifyNever;
    unsigned bits = kNotifyUnset;
    while (true) {
        const size_t comma = value.find(',');
        const std::string_view word = value.substr(0, comma);
        if (equals_ignoring_case(word, "SUCCESS")) {
            bits |= kNotifySuccess;
        } else if (equals_ignoring_case(word, "FAILURE")) {
            bits |= kNotifyFailure;
        } else if (equals_ignoring_case(word, "DELAY")) {
            bits |= kNotifyDelay;
        } else {
            return kNotifyUnset;
        }
        if (comma == std::string_view::npos) return static_cast<uint8_t>(bits);
        value.remove_prefix(comma + 1);
    }
}

// "rfc822;a+2Bb@c" into "rfc822;a+b@c"; false when it is not of that form.
bool decode_original_recipient(std::string_view value, std::string& out) {
    const size_t semicolon = value.find(';');
    if (semicolon == 0 || semicolon == std::string_view::npos) return false;
    const std::string_view type = value.substr(0, semicolon);
    for (const char c : type) {
        if (!is_alnum(c) && c != '-') return false;
    }
    const auto address = from_xtext(value.substr(semicolon + 1));
    // The address may be empty: what the grammar of RFC 3461 4.2 allows is taken.
    if (!address || has_control(*address)) return false;
    out.assign(type).append(";").append(*address);
    return out.size() <= kOrcptBytesMax;
}

ParameterFault parse_mail_parameter(std::string_view parameter, bool allow_utf8, MailCommand& out) {
    std::string_view value;
    if (has_name(parameter, "SIZE=", value)) {
        if (!all_digits(value)) return fault(501, "5.5.4", "Bad message size syntax");
        const auto size_bytes = parse_number(value, INT64_MAX);
        if (!size_bytes) {
            return fault(552, "5.3.4", "Message size exceeds file system imposed limit");
        }
        out.size_bytes = *size_bytes;
        return {};
    }
    if (equals_ignoring_case(parameter, "BODY=8BITMIME")) {
        out.body_8bit = true;
        return {};
    }
    if (equals_ignoring_case(parameter, "BODY=7BIT")) {
        out.body_8bit = false;
        return {};
    }
    if (allow_utf8 && equals_ignoring_case(parameter, "SMTPUTF8")) {
        out.smtputf8 = true;
        return {};
    }
    if (has_name(parameter, "RET=", value)) {
        const bool full = equals_ignoring_case(value, "FULL");
        if (out.dsn_return != DsnReturn::unset || (!full && !equals_ignoring_case(value, "HDRS"))) {
            return fault(501, "5.5.4", "Bad RET parameter syntax");
        }
        out.dsn_return = full ? DsnReturn::full : DsnReturn::headers;
        return {};
    }
    if (has_name(parameter, "ENVID=", value)) {
        auto id = from_xtext(value);
        const bool good = out.envelope_id.empty() && id && !id->empty() && !has_control(*id) &&
                          is_ascii(*id) && id->size() <= kEnvelopeIdBytesMax;
        if (!good) return fault(501, "5.5.4", "Bad ENVID parameter syntax");
        out.envelope_id = std::move(*id);
        return {};
    }
    return unsupported(parameter);
}

ParameterFault parse_rcpt_parameter(std::string_view parameter, RcptCommand& out) {
    std::string_view value;
    if (has_name(parameter, "NOTIFY=", value)) {
        if (out.notify != kNotifyUnset || (out.notify = notify_bits(value)) == kNotifyUnset) {
            return fault(501, "5.5.4", "Error: Bad NOTIFY parameter syntax");
        }
        return {};
    }
    if (has_name(parameter, "ORCPT=", value)) {
        if (!out.original_recipient.empty() ||
            !decode_original_recipient(value, out.original_recipient)) {
            return fault(501, "5.5.4", "Error: Bad ORCPT parameter syntax");
        }
        return {};
    }
    return unsupported(parameter);
}

}  // namespace

CommandLine parse_command_line(std::string_view line) noexcept {
    CommandLine command;
    command.word = next_word(line);
    command.argument = without_trailing_blanks(without_leading_blanks(line));
    command.verb = verb_named(command.word);
    return command;
}

const char* name_of(Verb verb) noexcept {
    switch (verb) {
        case Verb::unknown:
            return "UNKNOWN";
        case Verb::helo:
            return "HELO";
        case Verb::ehlo:
            return "EHLO";
        case Verb::mail:
            return "MAIL";
        case Verb::rcpt:
            return "RCPT";
        case Verb::data:
            return "DATA";
        case Verb::bdat:
            return "BDAT";
        case Verb::rset:
            return "RSET";
        case Verb::noop:
            return "NOOP";
        case Verb::quit:
            return "QUIT";
        case Verb::vrfy:
            return "VRFY";
        case Verb::expn:
            return "EXPN";
        case Verb::help:
            return "HELP";
        case Verb::etrn:
            return "ETRN";
        case Verb::starttls:
            return "STARTTLS";
        case Verb::auth:
            return "AUTH";
        case Verb::xclient:
            return "XCLIENT";
        case Verb::xforward:
            return "XFORWARD";
    }
    return "UNKNOWN";
}

ParameterFault parse_mail(std::string_view argument, MailRules rules, MailCommand& out) {
    constexpr std::string_view kFrom = "FROM:";
    out = MailCommand{};
    std::string_view rest;
    if (!has_name(argument, kFrom, rest) || without_leading_blanks(rest).empty()) {
        return fault(501, "5.5.4", "Syntax: MAIL FROM:<address>");
    }
    auto path = parse_path(rest, {rules.offers_utf8, rules.strict_path});
    if (!path) return fault(501, "5.1.7", "Bad sender address syntax");
    out.sender = std::move(path->address);
    rest = path->rest;
    for (auto word = next_word(rest); !word.empty(); word = next_word(rest)) {
        auto wrong = parse_mail_parameter(word, rules.offers_utf8, out);
        if (wrong.code != 0) return wrong;
    }
    if (rules.strict_utf8 && !out.smtputf8 && !is_ascii(out.sender)) {
        return fault(553, "5.6.7", "Must declare SMTPUTF8 to send unicode address");
    }
    return {};
}

ParameterFault parse_rcpt(std::string_view argument, MailRules rules, bool declared_utf8,
                          RcptCommand& out) {
    constexpr std::string_view kTo = "TO:";
    out = RcptCommand{};
    std::string_view rest;
    if (!has_name(argument, kTo, rest) || without_leading_blanks(rest).empty()) {
        return fault(501, "5.5.4", "Syntax: RCPT TO:<address>");
    }
    auto path = parse_path(rest, {rules.offers_utf8, rules.strict_path});
    if (!path || path->address.empty()) return fault(501, "5.1.3", "Bad recipient address syntax");
    if (rules.strict_utf8 && !declared_utf8 && !is_ascii(path->address))
        return fault(553, "5.6.7", "Must declare SMTPUTF8 to send unicode address");
    out.recipient = std::move(path->address);
    out.given = path->given;
    rest = path->rest;
    for (auto word = next_word(rest); !word.empty(); word = next_word(rest)) {
        auto wrong = parse_rcpt_parameter(word, out);
        if (wrong.code != 0) return wrong;
    }
    return {};
}

ParameterFault parse_bdat(std::string_view argument, BdatCommand& out) {
    out = BdatCommand{};
    const std::string_view count = next_word(argument);
    const std::string_view last = next_word(argument);
    const auto size_bytes = parse_number(count, INT64_MAX);
    out.last = equals_ignoring_case(last, "LAST");
    if (!size_bytes || (!last.empty() && !out.last) || !without_leading_blanks(argument).empty()) {
        out = BdatCommand{};
        return fault(501, "5.5.4", "Syntax: BDAT count [LAST]");
    }
    out.size_bytes = *size_bytes;
    return {};
}

}  // namespace posthaste
