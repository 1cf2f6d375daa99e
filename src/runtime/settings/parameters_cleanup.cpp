// What a message's headers and addresses become on their way into the queue.
#include "runtime/settings/parameters.h"

namespace posthaste::parameters {

std::span<const ParameterRow> cleanup() {
    using enum ParameterKind;
    using enum Applies;
    static constexpr ParameterRow kRows[] = {
        {"always_add_missing_headers", boolean, "no", 0, 0, live,
         "Add missing From:, Date: and Message-ID: to all mail, not only to that of "
         "local_header_rewrite_clients."},
        {"local_header_rewrite_clients", text, "permit_inet_interfaces", 0, 0, live,
         "Clients whose headers are completed with our own domain."},
        {"remote_header_rewrite_domain", text, "", 0, 0, live,
         "Completes incomplete header addresses of other clients; empty: their headers are left "
         "alone."},
        {"append_at_myorigin", boolean, "yes", 0, 0, live, "user becomes user@$myorigin."},
        {"append_dot_mydomain", boolean, "no", 0, 0, live,
         "user@host becomes user@host.$mydomain."},
        {"message_drop_headers", text, "bcc, content-length, resent-bcc, return-path", 0, 0, live,
         "Headers that are removed from every message."},
        {"header_size_limit", size, "102400", 1, 64 << 20, live,
         "The longest single header, in bytes; the rest of it is discarded."},
        {"header_address_token_limit", integer, "10240", 1, kIntMax, live,
         "Address tokens of one header that are looked at; the rest is discarded."},
        {"hopcount_limit", integer, "50", 1, kIntMax, live,
         "Received: lines after which a message is refused as looping (5.4.0)."},
        {"duplicate_filter_limit", integer, "1000", 0, kIntMax, live,
         "Recipients remembered to drop duplicates; 0: no limit."},
        {"enable_original_recipient", boolean, "yes", 0, 0, live,
         "Keep the address a recipient had before rewriting; duplicates are then told apart by "
         "it."},
    };
    return kRows;
}

}  // namespace posthaste::parameters
