// The commands that carry no mail: HELO and EHLO, and those answered on the spot.
#include <algorithm>

#include "base/strings.h"

#include "mail/address.h"
#include "mail/path.h"

#include "ingress/smtpd/session.h"

namespace posthaste::smtpd {

bool Session::set_helo(std::string_view argument, const char* syntax) {
    if (argument.empty()) {
        fail(syntax);
        return false;
    }
    constexpr size_t kHeloBytesMax = 255;
    constexpr std::string_view kNeutered =
        " <>()\\\";@";  // would end its place in a log line or a Received: field
    helo_ = printable(argument, kHeloBytesMax);
    for (char& c : helo_) {
        if (kNeutered.find(c) != std::string_view::npos) c = '?';
    }
    reset_transaction();
    return true;
}

Session::Done Session::on_helo(std::string_view argument) {
    if (!set_helo(argument, "501 Syntax: HELO hostname")) return Done::failed;
    is_esmtp_ = false;
    world_.reply(settings_.helo_reply);
    return Done::ok;
}

Session::Done Session::on_ehlo(std::string_view argument) {
    if (!set_helo(argument, "501 Syntax: EHLO hostname")) return Done::failed;
    is_esmtp_ = true;
    world_.reply(settings_.ehlo_reply);
    return Done::ok;
}

Session::Done Session::on_rset(std::string_view argument) {
    if (!argument.empty()) return fail("501 5.5.4 Syntax: RSET");
    reset_transaction();
    reply("250 2.0.0 Ok");
    return Done::ok;
}

Session::Done Session::on_noop(std::string_view) {
    reply("250 2.0.0 Ok");
    return Done::ok;
}

Session::Done Session::on_quit(std::string_view) {
    reply("221 2.0.0 Bye");
    return Done::ok;
}

// Says no more than RCPT would: what RCPT refuses is refused here.
Session::Done Session::on_vrfy(std::string_view argument) {
    if (settings_.vrfy_disabled) return fail("502 5.5.1 VRFY command is disabled");
    if (argument.empty()) {
        return fail(settings_.mail_rules.offers_utf8 ? "501 5.5.4 Syntax: VRFY address [SMTPUTF8]"
                                                     : "501 5.5.4 Syntax: VRFY address");
    }
    const auto path =
        parse_path(argument, {settings_.mail_rules.offers_utf8, settings_.mail_rules.strict_path});
    if (!path || path->address.empty()) return fail("501 5.1.3 Bad recipient address syntax");
    const std::string refusal = settings_.restrictions.at_recipient(subject(path->address));
    if (!refusal.empty()) {
        log_reject(refusal, std::nullopt, path->address);
        return fail(refusal);
    }
    std::string& text = world_.scratch();
    // As it was written, brackets and all.
    text.append("252 2.0.0 ").append(argument.substr(0, argument.size() - path->rest.size()));
    reply(text);
    return Done::ok;
}

Session::Done Session::on_etrn(std::string_view) {
    return fail("502 5.5.1 Error: command not implemented");
}

Session::Done Session::on_starttls(std::string_view) {
    return fail("502 5.5.1 Error: command not implemented");
}

Session::Done Session::on_auth(std::string_view) {
    if (helo_.empty()) return fail("503 5.5.1 Error: send HELO/EHLO first");
    return fail("503 5.5.1 Error: authentication not enabled");
}

Session::Done Session::on_xclient(std::string_view) {
    return fail("550 5.7.0 Error: insufficient authorization");
}

Session::Done Session::on_unknown(std::string_view) {
    return fail("500 5.5.2 Error: command not recognized");
}

}  // namespace posthaste::smtpd
