#include "mail/received.h"

#include <gtest/gtest.h>

#include "mail/headers.h"

namespace posthaste {
namespace {

ReceivedField sample() {
    ReceivedField field;
    field.helo = "client.example";
    field.client_name = "mail.client.example";
    field.client_address = "192.0.2.1";
    field.host = "relay.example";
    field.protocol = "ESMTP";
    field.queue_id = "4Zq8xW3kXcz7h";
    field.recipient = "a@b.example";
    field.date = "Sun, 22 Nov 2026 07:30:00 +0000 (UTC)";
    return field;
}

std::string text(const ReceivedField& field) {
    std::string out = "before|";
    append_received(field, out);
    return out;
}

TEST(Received, HasPostfixsFormForOneRecipient) {
    EXPECT_EQ(text(sample()),
              "before|Received: from client.example (mail.client.example [192.0.2.1])\r\n"
              "\tby relay.example (Posthaste) with ESMTP id 4Zq8xW3kXcz7h\r\n"
              "\tfor <a@b.example>; Sun, 22 Nov 2026 07:30:00 +0000 (UTC)\r\n");
}

TEST(Received, NamesNoRecipientAmongMany) {
    ReceivedField field = sample();
    field.recipient = "";
    EXPECT_EQ(text(field),
              "before|Received: from client.example (mail.client.example [192.0.2.1])\r\n"
              "\tby relay.example (Posthaste) with ESMTP id 4Zq8xW3kXcz7h;\r\n"
              "\tSun, 22 Nov 2026 07:30:00 +0000 (UTC)\r\n");
}

TEST(Received, PrefixesIpv6AndNamesTheUnknown) {
    ReceivedField field = sample();
    field.helo = "";
    field.client_name = "";
    field.client_address = "2001:db8::1";
    EXPECT_EQ(text(field).substr(0, 59),
              "before|Received: from unknown (unknown [IPv6:2001:db8::1])\r");
}

TEST(Received, StaysOneFieldWhateverTheClientSays) {
    ReceivedField field = sample();
    field.helo = std::string_view("x\r\nBcc: y\0\t\x7f", 12);
    const std::string helo(10'000, 'h');
    field.client_name = helo;
    std::string out;
    append_received(field, out);
    out += "\r\n";
    HeaderSection section;
    parse_headers(out, 10, section);
    ASSERT_EQ(section.fields.size(), 1U);
    EXPECT_TRUE(section.has_blank_line);
    EXPECT_TRUE(section.fields[0].value.starts_with("from x??Bcc: y??? (hhh")) << out;
    EXPECT_LT(out.find("\r\n"), 998U);
}

}  // namespace
}  // namespace posthaste
