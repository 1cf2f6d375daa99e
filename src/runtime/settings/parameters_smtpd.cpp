// The SMTP server: what a client may do, and how much of it.
#include "runtime/settings/parameters.h"

namespace posthaste::parameters {

std::span<const ParameterRow> smtpd() {
    using enum ParameterKind;
    using enum Applies;
    static constexpr ParameterRow kRows[] = {
        {"smtpd_banner", text, "$myhostname ESMTP $mail_name", 0, 0, live,
         "Text after the greeting's 220. RFC 5321 4.2: it must begin with the host name."},
        {"smtpd_peername_lookup", boolean, "yes", 0, 0, live,
         "Look up the client's host name; no: every client is \"unknown\"."},
        {"smtpd_reject_unlisted_recipient", boolean, "yes", 0, 0, live,
         "Refuse recipients at RCPT whose transport is error: or retry: by transport_maps."},
        {"smtpd_per_request_deadline", boolean, "${stress?{yes}:{no}}", 0, 0, live,
         "smtpd_timeout is for a whole message, and longer only by what comes of it."},
        {"smtpd_min_data_rate", integer, "500", 1, kIntMax, live,
         "Bytes that make a message's time longer by a second, with smtpd_per_request_deadline."},
        {"smtpd_timeout", time, "${stress?{10}:{300}}s", 1, kIntMax, live,
         "Silence allowed to a client, and the time it may take for a reply. RFC 5321 4.5.3.2.7 "
         "asks for 300 s."},
        {"smtpd_client_connection_count_limit", integer, "50", 0, kIntMax, live,
         "Connections from one address at a time; 0: no limit."},
        {"smtpd_client_event_limit_exceptions", text,
         "${smtpd_client_connection_limit_exceptions:$mynetworks}", 0, 0, live,
         "Clients to whom the smtpd_client_*_limit do not apply."},
        {"smtpd_client_connection_limit_exceptions", text, "", 0, 0, live,
         "Older name of smtpd_client_event_limit_exceptions."},
        {"smtpd_client_port_logging", boolean, "no", 0, 0, live,
         "Log the client's port: name[ip]:port."},
        {"smtpd_client_restrictions", text, "", 0, 0, live, "Restrictions on the connection."},
        {"smtpd_helo_restrictions", text, "", 0, 0, live, "Restrictions on HELO and EHLO."},
        {"smtpd_sender_restrictions", text, "", 0, 0, live, "Restrictions on MAIL FROM."},
        {"smtpd_relay_restrictions", text,
         "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination", 0, 0, live,
         "Who may relay: asked at each RCPT TO. This and smtpd_recipient_restrictions keep us from "
         "being "
         "an open relay; one of them must end in a refusal."},
        {"smtpd_recipient_restrictions", text, "", 0, 0, live, "Restrictions on RCPT TO."},
        {"smtpd_data_restrictions", text, "", 0, 0, live,
         "Restrictions on DATA and the first BDAT."},
        {"smtpd_end_of_data_restrictions", text, "", 0, 0, live,
         "Restrictions on the complete message."},
        {"smtpd_relay_before_recipient_restrictions", boolean, "yes", 0, 0, live,
         "Ask smtpd_relay_restrictions before smtpd_recipient_restrictions."},
        {"smtpd_delay_reject", boolean, "yes", 0, 0, live,
         "Wait with refusals until RCPT TO, so that the log names sender and recipient."},
        {"smtpd_helo_required", boolean, "no", 0, 0, live,
         "MAIL FROM needs a HELO or EHLO before it."},
        {"disable_vrfy_command", boolean, "no", 0, 0, live, "Refuse VRFY."},
        {"strict_rfc821_envelopes", boolean, "no", 0, 0, live,
         "MAIL FROM and RCPT TO in brackets, and addresses as RFC 5321 writes them."},
        {"strict_smtputf8", boolean, "no", 0, 0, live,
         "Addresses that are not ASCII only from a client that has said SMTPUTF8."},
        {"smtputf8_enable", boolean, "yes", 0, 0, live, "Announce and accept SMTPUTF8 (RFC 6531)."},
        {"smtpd_discard_ehlo_keywords", text, "", 0, 0, live,
         "EHLO keywords that are not announced: pipelining, chunking, silent-discard and so on."},
        {"smtpd_forbid_unauth_pipelining", boolean, "yes", 0, 0, live,
         "Hang up on clients that send ahead where RFC 2920 forbids it."},
        {"smtpd_forbid_bare_newline", text, "normalize", 0, 0, live,
         "Lines that end in LF alone (smuggling): normalize accepts them but only CRLF.CRLF ends "
         "the message, note "
         "also logs, reject refuses the message.",
         "normalize|yes|note|reject|no"},
        {"smtpd_forbid_bare_newline_exclusions", text, "$mynetworks", 0, 0, live,
         "Clients to whom smtpd_forbid_bare_newline does not apply."},
        {"smtpd_forbid_bare_newline_reject_code", integer, "550", 400, 599, live,
         "The reply code of smtpd_forbid_bare_newline = reject."},
        {"smtpd_forbidden_commands", text, "CONNECT GET POST regexp:{{/^[^A-Z]/ Bogus}}", 0, 0,
         live, "Commands that no mail client sends: answered once, then the connection is closed."},
        {"smtpd_noop_commands", text, "", 0, 0, live, "Commands that are answered like NOOP."},
        {"smtpd_error_sleep_time", time, "1s", 0, kIntMax, live,
         "Pause before a reply once a client has made more than smtpd_soft_error_limit errors."},
        {"smtpd_soft_error_limit", integer, "10", 1, kIntMax, live,
         "Errors without a delivery after which replies are slowed down."},
        {"smtpd_hard_error_limit", integer, "${stress?{1}:{20}}", 1, kIntMax, live,
         "Errors without a delivery after which the client is disconnected."},
        {"smtpd_junk_command_limit", integer, "${stress?{1}:{100}}", 1, kIntMax, live,
         "NOOP, RSET, VRFY and the like without a delivery before each counts as an error."},
        {"smtpd_recipient_limit", integer, "1000", 1, kIntMax, live, "Recipients of one message."},
        {"smtpd_recipient_overshoot_limit", integer, "1000", 1, kIntMax, live,
         "Recipients beyond smtpd_recipient_limit that are refused before each counts as an "
         "error."},
        {"reject_code", integer, "554", 400, 599, live, "Reply code of the restriction reject."},
        {"defer_code", integer, "450", 400, 499, live, "Reply code of the restriction defer."},
        {"relay_domains_reject_code", integer, "554", 400, 599, live,
         "Reply code of reject_unauth_destination."},
        {"invalid_hostname_reject_code", integer, "501", 400, 599, live,
         "Reply code of reject_invalid_helo_hostname."},
        {"non_fqdn_reject_code", integer, "504", 400, 599, live,
         "Reply code of the reject_non_fqdn_* restrictions."},
        {"message_size_limit", size, "10240000", 0, kSizeMax, live,
         "The largest message, in bytes, and what EHLO's SIZE announces; 0: no limit but the "
         "arenas."},
        {"line_length_limit", size, "2048", 512, 1 << 20, live,
         "The longest command line and header line; longer ones are refused or broken."},
        {"queue_minfree", size, "0", 0, kSizeMax, live,
         "Free bytes the queue's file system must have to accept mail; 1.5 times "
         "message_size_limit in any case."},
    };
    return kRows;
}

}  // namespace posthaste::parameters
