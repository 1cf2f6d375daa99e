// A command line: the choice (bit 0: UTF-8 allowed), then the line. What comes out of it is safe to
// log, to put in an envelope and to send on.
#include "mail/address.h"
#include "mail/smtp_command.h"
#include "mail/xtext.h"

#include "tests/fuzz/fuzz.h"

using namespace posthaste;

namespace {

void check_fault(const ParameterFault& wrong) {
    ASSERT(wrong.code == 0 || (wrong.code >= 500 && wrong.code <= 559));
    ASSERT(!fuzz::has_control(wrong.text));
    ASSERT(wrong.text.size() < 200);
}

void check_arguments(std::string_view argument, const MailRules& rules, bool declared) {
    MailCommand mail;
    const auto mail_fault = parse_mail(argument, rules, mail);
    check_fault(mail_fault);
    if (mail_fault.code == 0) {
        ASSERT(!fuzz::has_control(mail.sender) && mail.sender.size() <= kAddressBytesMax);
        ASSERT(mail.smtputf8 || (rules.offers_utf8 && !rules.strict_utf8) || is_ascii(mail.sender));
        ASSERT(!fuzz::has_control(mail.envelope_id) && is_ascii(mail.envelope_id));
        ASSERT(mail.envelope_id.size() <= kEnvelopeIdBytesMax);
        ASSERT(from_xtext(to_xtext(mail.envelope_id)) == mail.envelope_id);
    }
    RcptCommand rcpt;
    const auto rcpt_fault = parse_rcpt(argument, rules, declared, rcpt);
    check_fault(rcpt_fault);
    if (rcpt_fault.code == 0) {
        ASSERT(fuzz::is_inside(rcpt.given, argument) && !rcpt.recipient.empty());
        // What was accepted, with its DSN options, makes an envelope that every process accepts.
        Envelope envelope;
        if (mail_fault.code == 0) envelope.sender = mail.sender;
        envelope.envelope_id = mail.envelope_id;
        envelope.recipients.push_back(
            {std::string(rcpt.recipient), rcpt.original_recipient, rcpt.notify});
        std::string bytes;
        encode_envelope(envelope, bytes);
        ASSERT(envelope_fits(envelope) && decode_envelope(bytes));
    }
    BdatCommand bdat;
    check_fault(parse_bdat(argument, bdat));
    ASSERT(bdat.size_bytes <= INT64_MAX);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view line = fuzz::text_of(data, size);
    const auto choice = fuzz::take_choice(line);
    const MailRules rules{.offers_utf8 = (choice & 1) != 0,
                          .strict_utf8 = (choice & 2) != 0,
                          .strict_path = (choice & 4) != 0};
    const bool declared = (choice & 8) != 0;
    const CommandLine command = parse_command_line(line);
    ASSERT(fuzz::is_inside(command.word, line) && fuzz::is_inside(command.argument, line));
    if (command.verb != Verb::unknown) {
        ASSERT(parse_command_line(command.word).verb == command.verb);
        ASSERT(!fuzz::has_control(command.word));
    }
    check_arguments(command.argument, rules, declared);
    check_arguments(line, rules, declared);
    return 0;
}
