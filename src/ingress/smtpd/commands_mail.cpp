// MAIL, RCPT, DATA: the envelope.
#include <utility>

#include "mail/address.h"

#include "ingress/smtpd/session.h"

namespace posthaste::smtpd {
namespace {

// With it and the extents of the largest message the record to cleanup stays below half its ring.
constexpr size_t kAddressBytesOfOneMessageMax = 256 * 1024;
constexpr size_t kRecipientOverheadBytes = 16;

// "rfc822;address" of an address as it was written; empty when it can not be passed on.
std::string original_recipient_of(std::string_view given) {
    const std::string_view type = is_ascii(given) ? "rfc822;" : "utf-8;";
    while (!given.empty() && given.back() == ' ') given.remove_suffix(1);
    if (type.size() + given.size() > kOrcptBytesMax || given.find('\t') != std::string_view::npos)
        return {};
    return std::string(type).append(given);
}

}  // namespace

RestrictionSubject Session::subject(std::string_view recipient) const {
    return {.client = client_.ip,
            .local = client_.local_ip,
            .client_name_address = name_address_,
            .helo = helo_,
            .sender = transaction_.envelope.sender,
            .recipient = recipient};
}

Session::Done Session::on_mail(std::string_view argument) {
    if (settings_.helo_required && helo_.empty())
        return fail("503 5.5.1 Error: send HELO/EHLO first");
    MailCommand mail;
    const ParameterFault fault = parse_mail(argument, settings_.mail_rules, mail);
    if (fault.code != 0) return fail(fault);
    if (!settings_.offers_dsn &&
        (mail.dsn_return != DsnReturn::unset || !mail.envelope_id.empty())) {
        return fail("501 5.7.1 DSN support is disabled");
    }
    const char* refusal = nullptr;
    if (mail.size_bytes > settings_.message_bytes_max)
        refusal = "552 5.3.4 Message size exceeds fixed limit";
    else if (world_.is_short_of_memory())
        refusal = "452 4.3.1 Insufficient system storage";
    if (refusal != nullptr) {
        log_reject(refusal, mail.sender, std::nullopt);
        return fail(refusal);
    }
    Envelope& envelope = transaction_.envelope;
    envelope.arrived_wall_us = world_.wall_us();
    envelope.sender = std::move(mail.sender);
    envelope.body_8bit = mail.body_8bit;
    envelope.smtputf8 = mail.smtputf8;
    envelope.dsn_return = mail.dsn_return;
    envelope.envelope_id = std::move(mail.envelope_id);
    state_ = State::mail;
    reply("250 2.1.0 Ok");
    return Done::ok;
}

Session::Done Session::on_rcpt(std::string_view argument) {
    Envelope& envelope = transaction_.envelope;
    RcptCommand rcpt;
    const ParameterFault fault =
        parse_rcpt(argument, settings_.mail_rules, envelope.smtputf8, rcpt);
    if (fault.code != 0) return fail(fault);
    if (!settings_.offers_dsn &&
        (rcpt.notify != kNotifyUnset || !rcpt.original_recipient.empty())) {
        return fail("501 5.7.1 DSN support is disabled");
    }
    // As Postfix: what the client wrote is what a report will name.
    if (rcpt.original_recipient.empty() && rcpt.given != rcpt.recipient)
        rcpt.original_recipient = original_recipient_of(rcpt.given);
    const size_t bytes =
        rcpt.recipient.size() + rcpt.original_recipient.size() + kRecipientOverheadBytes;
    if (envelope.recipients.size() >= settings_.recipients_max ||
        transaction_.envelope_bytes + bytes > kAddressBytesOfOneMessageMax) {
        reply("452 4.5.3 Error: too many recipients");
        world_.count(SmtpdCounter::recipients_refused);
        // Not an error of the client's at first: it sends the rest in another transaction.
        return transaction_.recipients_overshot++ < settings_.recipients_overshoot_max
                   ? Done::ok
                   : Done::failed;
    }
    const std::string refusal = settings_.restrictions.at_recipient(subject(rcpt.recipient));
    if (!refusal.empty()) {
        world_.count(SmtpdCounter::recipients_refused);
        log_reject(refusal, envelope.sender, rcpt.recipient);
        return fail(refusal);
    }
    // Here and not at MAIL, as in Postfix: what is refused costs no id, and the log says NOQUEUE
    // for it.
    if (!transaction_.has_queue_id()) {
        envelope.id = world_.take_id();
        if (!transaction_.has_queue_id()) return fail("451 4.3.0 Error: queue file write error");
        std::string& line = world_.scratch();
        line.append(queue_id_text(envelope.id)).append(": client=").append(name_address_);
        world_.log(line);
    }
    transaction_.envelope_bytes += bytes;
    envelope.recipients.push_back(
        {std::move(rcpt.recipient), std::move(rcpt.original_recipient), rcpt.notify});
    world_.count(SmtpdCounter::recipients_accepted);
    state_ = State::rcpt;
    reply("250 2.1.5 Ok");
    return Done::ok;
}

// The list data sees the recipient only when there is one (as in Postfix: it speaks for all of
// them).
bool Session::is_denied_at_data(std::string& refusal) const {
    const auto& recipients = transaction_.envelope.recipients;
    const std::string_view only =
        recipients.size() == 1 ? std::string_view(recipients.front().address) : "";
    refusal = settings_.restrictions.at_data(subject(only));
    return !refusal.empty();
}

Session::Done Session::on_data(std::string_view argument) {
    if (!argument.empty()) return fail("501 5.5.4 Syntax: DATA");
    std::string refusal;
    if (is_denied_at_data(refusal)) {
        log_reject(refusal, transaction_.envelope.sender, std::nullopt);
        return fail(refusal);
    }
    transaction_.scanner = DataScanner(bare_newline());
    state_ = State::data;
    reply("354 End data with <CR><LF>.<CR><LF>");
    return Done::later;
}

}  // namespace posthaste::smtpd
