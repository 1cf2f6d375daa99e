// mail/received.h: the Received: field that a message gets on its way through (RFC 5321 4.4, RFC
// 3848), in Postfix's form, so that people and tools that read Postfix's read ours:
//
//   Received: from HELO (NAME [IP])              "IPv6:" before the address of that family
//           by HOST (Posthaste) with ESMTP id QID
//           for <RECIPIENT>; DATE                with exactly one recipient; otherwise the line above ends
//                                                with ';' and DATE stands alone
#pragma once

#include <string>
#include <string_view>

namespace posthaste {

struct ReceivedField {
    std::string_view helo;            // empty: the client's name stands in its place
    std::string_view client_name;     // "unknown" when empty
    std::string_view client_address;  // without brackets and prefix
    std::string_view host;            // myhostname
    std::string_view mail_name = "Posthaste";
    std::string_view protocol;  // "SMTP", "ESMTP", "ESMTPS", "UTF8SMTP" …
    std::string_view queue_id;
    std::string_view recipient;  // empty unless the message has exactly one
    std::string_view date;       // rfc5322_date()
};

// Appends the field with its final CRLF. What the client chose cannot leave its place: controls
// become '?', and HELO and names are cut at 255 bytes, so that no line exceeds what RFC 5322 2.1.1
// allows.
void append_received(const ReceivedField& field, std::string& out);

}  // namespace posthaste
