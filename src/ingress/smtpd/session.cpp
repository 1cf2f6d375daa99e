#include "ingress/smtpd/session.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

#include "mail/address.h"

namespace posthaste::smtpd {

namespace {

constexpr const char* kNeedMail = "503 5.5.1 Error: need MAIL command";
constexpr const char* kNeedRcpt = "503 5.5.1 Error: need RCPT command";
constexpr const char* kNoRcpt = "554 5.5.1 Error: no valid recipients";
constexpr const char* kNested = "503 5.5.1 Error: nested MAIL command";
constexpr const char* kMailLate = "503 5.5.1 Error: MAIL after BDAT";
constexpr const char* kRcptLate = "503 5.5.1 Error: RCPT after BDAT";
constexpr const char* kDataLate = "503 5.5.1 Error: DATA after BDAT";
constexpr const char* kOk = nullptr;

}  // namespace

// In the order of the disconnect line; the last row is everything that is no command.
// clang-format off
constexpr Session::Command Session::kCommands[] = {
    //                          ends   is                             refused in
    // verb          in the log group  junk                           greeted    ready      mail     rcpt     bdat
    {Verb::helo,     "helo",     true, true,  &Session::on_helo,     {kOk,       kOk,       kOk,     kOk,     kOk}},
    {Verb::ehlo,     "ehlo",     true, true,  &Session::on_ehlo,     {kOk,       kOk,       kOk,     kOk,     kOk}},
    {Verb::starttls, "starttls", false, false, &Session::on_starttls, {kOk,      kOk,       kOk,     kOk,     kOk}},
    {Verb::xclient,  "xclient",  false, false, &Session::on_xclient, {kOk,       kOk,       kOk,     kOk,     kOk}},
    {Verb::xforward, "xforward", false, false, &Session::on_xclient, {kOk,       kOk,       kOk,     kOk,     kOk}},
    {Verb::auth,     "auth",     false, false, &Session::on_auth,    {kOk,       kOk,       kOk,     kOk,     kOk}},
    {Verb::mail,     "mail",     false, false, &Session::on_mail,    {kOk,       kOk,       kNested, kNested, kNested}},
    {Verb::rcpt,     "rcpt",     false, false, &Session::on_rcpt,    {kNeedMail, kNeedMail, kOk,     kOk,     kRcptLate}},
    {Verb::data,     "data",     true,  false, &Session::on_data,    {kNeedRcpt, kNeedRcpt, kNoRcpt, kOk,     kDataLate}},
    // Out of order too, its octets must be read: on_bdat() refuses by itself.
    {Verb::bdat,     "bdat",     false, false, &Session::on_bdat,    {kOk,       kOk,       kOk,     kOk,     kOk}},
    {Verb::rset,     "rset",     false, true,  &Session::on_rset,    {kOk,       kOk,       kOk,     kOk,     kOk}},
    {Verb::noop,     "noop",     true,  true,  &Session::on_noop,    {kOk,       kOk,       kOk,     kOk,     kOk}},
    {Verb::vrfy,     "vrfy",     true,  true,  &Session::on_vrfy,    {kOk,       kOk,       kOk,     kOk,     kOk}},
    {Verb::etrn,     "etrn",     false, true,  &Session::on_etrn,    {kOk,       kOk,       kOk,     kOk,     kOk}},
    {Verb::quit,     "quit",     false, false, &Session::on_quit,    {kOk,       kOk,       kOk,     kOk,     kOk}},
    {Verb::unknown,  "unknown",  false, false, &Session::on_unknown, {kOk,       kOk,       kOk,     kOk,     kOk}},
};

// clang-format on

const Session::Command& Session::command_of(Verb verb) noexcept {
    static_assert(std::size(kCommands) == kCommandCount);
    for (const Command& command : kCommands) {
        if (command.verb == verb) return command;
    }
    return kCommands[kCommandCount - 1];
}

void Session::start(Client client, bool input_waits) {
    client_ = std::move(client);
    address_ = client_.ip.text();
    name_address_ = client_.name + "[" + address_ + "]";
    if (settings_.logs_client_port) name_address_ += ":" + std::to_string(client_.port);
    bare_newline_excused_ = settings_.bare_newline_exclusions.contains(client_.ip);
    state_ = State::greeted;
    world_.count(SmtpdCounter::connections);
    world_.log("connect from " + name_address_);
    if (input_waits && is_out_of_step("CONNECT", {})) return;
    world_.reply(settings_.greeting);
    if (shutting_down_) shut_down();
}

bool Session::takes_input() const {
    switch (state_) {
        case State::waiting:
        case State::committing:
            return false;
        case State::data:
        case State::chunk:
            return is_dropping() || world_.can_append();
        case State::over:
            return true;  // and throws it away
        default:
            return !resting_ && world_.can_reply();
    }
}

size_t Session::consume(std::string_view bytes) {
    size_t used = 0;
    while (used < bytes.size() && takes_input()) {
        const std::string_view rest = bytes.substr(used);
        size_t taken = 0;
        switch (state_) {
            case State::data:
                taken = take_data(rest);
                break;
            case State::chunk:
                taken = take_chunk(rest);
                break;
            case State::over:
                return bytes.size();
            default:
                taken = take_line(rest);
                break;
        }
        if (taken == 0) break;
        used += taken;
    }
    return used;
}

size_t Session::take_line(std::string_view bytes) {
    const size_t newline = bytes.find('\n');
    if (newline == std::string_view::npos) {
        // One more for a CR whose LF may still come.
        if (!skipping_line_ && bytes.size() <= size_t{settings_.line_bytes_max} + 1) return 0;
        skipping_line_ = true;
        return bytes.size();
    }
    std::string_view line = bytes.substr(0, newline);
    const bool ended_with_crlf = !line.empty() && line.back() == '\r';
    if (ended_with_crlf) line.remove_suffix(1);
    world_.count(SmtpdCounter::commands);
    if (std::exchange(skipping_line_, false) || line.size() > settings_.line_bytes_max) {
        // Postfix acts upon the first 2048 bytes; a command cut in the middle may name somebody
        // else.
        world_.warn(name_address_ + ": request longer than " +
                    std::to_string(settings_.line_bytes_max));
        fail("500 5.5.2 Error: line too long");
        count_error();
        after_command();
    } else {
        on_line(line, !ended_with_crlf, bytes.substr(newline + 1));
    }
    return newline + 1;
}

BareNewline Session::bare_newline() const noexcept {
    return bare_newline_excused_ ? BareNewline::no : settings_.bare_newline;
}

void Session::on_line(std::string_view line, bool ended_with_bare_lf, std::string_view behind) {
    if (ended_with_bare_lf) {
        if (bare_newline() == BareNewline::note) noted_bare_newline_ = true;
        if (bare_newline() == BareNewline::reject) {
            std::string text = std::to_string(settings_.bare_newline_code);
            text += " 5.5.2 " + settings_.hostname + " Error: bare <LF> received";
            fail(text);
            return end();
        }
    }
    const CommandLine command = parse_command_line(line);
    const char* fault = nullptr;
    if (settings_.mail_rules.offers_utf8 && !is_utf8(line))
        fault = "500 5.5.2 Error: bad UTF-8 syntax";
    if (line.find('\0') != std::string_view::npos || command.word.empty())
        fault = "500 5.5.2 Error: bad syntax";
    if (fault != nullptr) {
        fail(fault);
        count_error();
        return after_command();
    }
    for (const std::string& word : settings_.noop_commands) {
        if (!equals_ignoring_case(word, command.word)) continue;
        reply("250 2.0.0 Ok");
        if (junk_commands_++ > settings_.junk_commands_max) count_error();
        return after_command();
    }
    on_command(command, behind);
}

void Session::on_command(const CommandLine& line, std::string_view behind) {
    const Command& command = command_of(line.verb);
    ++counts_[static_cast<size_t>(&command - kCommands)].total;
    where_ = name_of(command.verb);
    if (command.verb == Verb::unknown && is_forbidden(line.word)) {
        world_.warn("non-SMTP command from " + name_address_ + ": " + printable(line.word, 40) +
                    " " + printable(line.argument, 100));
        fail("221 2.7.0 Error: I can break rules, too. Goodbye.");
        return end();
    }
    // Only ESMTP knows pipelining.
    const bool must_wait = command.ends_group || (!is_esmtp_ && command.verb != Verb::unknown);
    if (must_wait && !behind.empty() && is_out_of_step(where_, behind)) return;

    const char* refusal = command.refusals[static_cast<size_t>(state_)];
    if (state_ == State::bdat && transaction_.chunk_lacks_mail) {
        if (command.verb == Verb::mail) refusal = kMailLate;
        if (command.verb == Verb::rcpt) refusal = kNeedMail;
    }
    const Done done = refusal != nullptr ? fail(refusal) : (this->*command.run)(line.argument);
    if (done != Done::later) finish(command, done == Done::ok);
}

bool Session::is_forbidden(std::string_view word) const {
    const size_t colon = word.find(':');
    if (colon != std::string_view::npos && colon > 0)
        return true;  // a header line: somebody's idea of HTTP or mail
    if (settings_.forbids_nonletters && !is_alpha(word.front())) return true;
    for (const std::string& forbidden : settings_.forbidden_commands) {
        if (equals_ignoring_case(forbidden, word)) return true;
    }
    return false;
}

// The client did not wait where RFC 2920 says it must. True: it has been sent away.
bool Session::is_out_of_step(const char* after, std::string_view behind) {
    log_pipelining(after, behind);
    if (!settings_.forbids_unauth_pipelining) return false;
    fail("554 5.5.0 Error: SMTP protocol synchronization");
    end();
    return true;
}

void Session::finish(const Command& command, bool ok) {
    if (ok)
        ++counts_[static_cast<size_t>(&command - kCommands)].ok;
    else
        count_error();
    if (state_ == State::over) return;
    if (command.is_junk && junk_commands_++ > settings_.junk_commands_max) count_error();
    if (command.verb == Verb::quit) return end();
    after_command();
}

void Session::count_error() noexcept {
    ++errors_;
    world_.count(SmtpdCounter::errors);
}

// Postfix sleeps before the reply; behind it costs the client the same and us nothing.
void Session::after_command() {
    if (state_ == State::over) return;
    if (errors_ >= settings_.hard_errors_max) {
        reply("421 4.7.0 " + settings_.hostname + " Error: too many errors");
        log_end("too many errors");
        return end();
    }
    if (shutting_down_) shut_down();
    if (state_ != State::over && errors_ >= settings_.soft_errors_max &&
        settings_.error_pause_us > 0) {
        resting_ = true;
        world_.rest_for(settings_.error_pause_us);
    }
}

void Session::reset_transaction() {
    world_.drop_message();
    transaction_.reset();
    state_ = helo_.empty() ? State::greeted : State::ready;
}

void Session::on_lost() {
    if (state_ == State::over) return;
    if (state_ != State::waiting) {
        world_.count(SmtpdCounter::connections_lost);
        log_end("lost connection");
    }
    end();
}

void Session::on_timeout() {
    if (state_ == State::over) return;
    world_.count(SmtpdCounter::timeouts);
    reply("421 4.4.2 " + settings_.hostname + " Error: timeout exceeded");
    log_end("timeout");
    end();
}

void Session::shut_down() {
    shutting_down_ = true;
    if (state_ == State::greeted || state_ == State::ready) {
        reply("421 4.3.2 " + settings_.hostname + " Error: service shutting down");
        end();
    } else if (state_ == State::waiting) {
        end();
    }
}

void Session::end() {
    if (state_ == State::over) return;
    if (state_ != State::waiting) log_disconnect();
    reset_transaction();
    state_ = State::over;
    world_.close();
}

}  // namespace posthaste::smtpd
