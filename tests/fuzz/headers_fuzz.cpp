// A message's beginning: the choice (how many fields, how many addresses), then the bytes.
#include <string>

#include "mail/headers.h"
#include "mail/received.h"

#include "tests/fuzz/fuzz.h"

using namespace posthaste;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view message = fuzz::text_of(data, size);
    const size_t bound = fuzz::take_choice(message);

    HeaderSection section;
    parse_headers(message, bound, section);
    ASSERT(section.fields.size() <= bound);
    size_t at = 0;
    uint32_t received_count = 0;
    std::vector<std::string_view> addresses;
    for (const HeaderField& field : section.fields) {
        // The fields lie one behind the other and cover the header.
        ASSERT(field.whole.data() == message.data() + at && field.whole.ends_with("\n"));
        at += field.whole.size();
        ASSERT(!field.name.empty() && field.name.data() == field.whole.data());
        ASSERT(fuzz::is_inside(field.value, field.whole) && !field.value.ends_with("\n"));
        ASSERT(field.field == field_named(field.name));
        received_count += field.field == Field::received ? 1 : 0;
        addresses_in(field.value, bound, addresses);
        ASSERT(addresses.size() <= bound);
        for (const std::string_view address : addresses) {
            ASSERT(!address.empty() && fuzz::is_inside(address, field.value));
            ASSERT(!fuzz::has_control(address));
        }
    }
    ASSERT(at == section.header_bytes && received_count == section.received_count);
    ASSERT(section.body_offset >= at && section.body_offset <= message.size());
    ASSERT(section.has_blank_line == (section.body_offset > at));
    ASSERT(!section.has_blank_line || !section.truncated);

    // Whatever a client says, the field we add is one field.
    ReceivedField field;
    field.helo = field.client_name = field.recipient = message;
    std::string out;
    append_received(field, out);
    out += "\r\n";
    parse_headers(out, 10, section);
    ASSERT(section.fields.size() == 1 && section.has_blank_line);
    ASSERT(section.body_offset == out.size());
    return 0;
}
