// The choice (local or not, bounds), then a message's beginning: the header section that cleanup
// writes.
#include <string>

#include "cleanup/cleanup/header_pass.h"
#include "tests/fuzz/fuzz.h"

using namespace posthaste;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view message = fuzz::text_of(data, size);
    const uint8_t choice = fuzz::take_choice(message);

    cleanup::CleanupPolicy policy;
    policy.host = "mx.example";
    policy.origin = "origin.example";
    policy.mail_name = "Posthaste";
    policy.all_clients_local = (choice & 1) != 0;
    policy.local_headers = {"origin.example", (choice & 2) != 0 ? "parent.example" : ""};
    policy.dropped_headers = {"bcc", "return-path"};
    policy.header_bytes_max = (choice & 4) != 0 ? 40 : 102'400;
    policy.header_addresses_max = 100;
    policy.hops_max = 5;
    Envelope envelope;
    envelope.id = 1'700'000'000'000'000;
    envelope.client_address = "192.0.2.1";
    envelope.sender =
        "ann@a.example";  // MAILER-DAEMON has no domain, which a second pass would add
    envelope.recipients.push_back({"joe@a.example", "", kNotifyUnset});

    cleanup::HeaderPass pass;
    std::string header;
    const auto outcome = pass.run(policy, envelope, {"Sun, 22 Nov 2026 07:30:00 +0000"}, message,
                                  (choice & 8) != 0, header);
    if (outcome.too_many_hops) return 0;
    ASSERT(outcome.body_offset <= message.size());
    // Fields keep their line ends; that those are CRLF is smtpd's affair.
    ASSERT(header.starts_with("Received: ") && header.ends_with("\n\r\n"));

    // What it wrote is a header section to its end: nothing of the body can be taken for it, nor
    // the other way round.
    HeaderSection section;
    parse_headers(header, cleanup::kHeaderFieldsMax * 2, section);
    ASSERT(section.has_blank_line && section.body_offset == header.size());
    uint32_t dates = 0;
    for (const HeaderField& field : section.fields) {
        ASSERT(field.field != Field::bcc && field.field != Field::return_path);
        dates += field.field == Field::date || field.field == Field::resent_date ? 1 : 0;
    }
    ASSERT(!policy.all_clients_local || dates >= 1);

    // A second pass over the result has nothing to complete, drop or add but its own Received:.
    if (policy.header_bytes_max > 1000) {
        const std::string once = header;
        std::string twice;
        const auto again = pass.run(policy, envelope, {"x"}, once, true, twice);
        if (!again.too_many_hops) {
            ASSERT(twice.ends_with(once));
            ASSERT(again.body_offset == once.size());
        }
    }
    return 0;
}
