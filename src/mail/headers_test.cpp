#include "mail/headers.h"

#include <gtest/gtest.h>

#include "base/strings.h"

namespace posthaste {
namespace {

HeaderSection parsed(std::string_view message, size_t fields_max = 100) {
    HeaderSection section;
    parse_headers(message, fields_max, section);
    return section;
}

TEST(Headers, AreFoundWithTheirPlaces) {
    const std::string_view message =
        "Received: from a\r\n\tby b;\r\n date\r\nSubject:x\r\nTo : a@b\r\nX-Empty:\r\n\r\nbody\r\n";
    const HeaderSection section = parsed(message);
    ASSERT_EQ(section.fields.size(), 4U);
    EXPECT_EQ(section.fields[0].field, Field::received);
    EXPECT_EQ(section.fields[0].name, "Received");
    EXPECT_EQ(section.fields[0].value, "from a\r\n\tby b;\r\n date");
    EXPECT_EQ(section.fields[0].whole, "Received: from a\r\n\tby b;\r\n date\r\n");
    EXPECT_EQ(section.fields[1].value, "x");
    EXPECT_EQ(section.fields[2].field, Field::to);
    EXPECT_EQ(section.fields[2].name, "To");
    EXPECT_EQ(section.fields[2].value, "a@b");
    EXPECT_EQ(section.fields[3].field, Field::other);
    EXPECT_EQ(section.fields[3].value, "");
    EXPECT_EQ(section.received_count, 1U);
    EXPECT_TRUE(section.has_blank_line);
    EXPECT_FALSE(section.truncated);
    EXPECT_EQ(message.substr(section.body_offset), "body\r\n");
    EXPECT_EQ(section.header_bytes, section.body_offset - 2);
}

TEST(Headers, EndAtTheFirstLineThatIsNone) {
    for (const std::string_view body :
         {"no header\r\n", ": x\r\n", "\xc3\xb6: x\r\n", "a b: x\r\n", "x\r\n"}) {
        const std::string message = "Subject: s\r\n" + std::string(body);
        const HeaderSection section = parsed(message);
        EXPECT_EQ(section.fields.size(), 1U);
        EXPECT_FALSE(section.has_blank_line);
        EXPECT_FALSE(section.truncated);
        EXPECT_EQ(message.substr(section.body_offset), body);
        EXPECT_EQ(section.header_bytes, section.body_offset);
    }
}

TEST(Headers, OfAMessageThatBeginsWithItsBody) {
    EXPECT_EQ(parsed("\r\nbody\r\n").body_offset, 2U);
    EXPECT_TRUE(parsed("\r\nbody\r\n").has_blank_line);
    EXPECT_EQ(parsed(" folded: x\r\n").body_offset, 0U);
    EXPECT_FALSE(parsed(" folded: x\r\n").truncated);
}

TEST(Headers, CutBeforeTheirEndSayTruncated) {
    const std::string message = "Subject: s\r\n t\r\nTo: a@b\r\n\r\nbody";
    const size_t header_bytes = message.find("\r\n\r\n") + 4;
    for (size_t size = 0; size < header_bytes; ++size) {
        const HeaderSection section = parsed(std::string_view(message).substr(0, size));
        EXPECT_TRUE(section.truncated) << size;
        EXPECT_FALSE(section.has_blank_line);
        EXPECT_EQ(section.body_offset, size == 0 ? 0 : message.rfind('\n', size - 1) + 1) << size;
    }
    EXPECT_FALSE(parsed(std::string_view(message).substr(0, header_bytes)).truncated);
}

TEST(Headers, BeyondTheirBoundAreBody) {
    const HeaderSection section = parsed("A: 1\r\nB: 2\r\n more\r\nC: 3\r\n\r\n", 2);
    EXPECT_EQ(section.fields.size(), 2U);
    EXPECT_EQ(section.fields[1].value, "2\r\n more");
    EXPECT_EQ(section.body_offset, 19U);
    EXPECT_FALSE(section.has_blank_line);
}

TEST(Headers, ForgetTheMessageBefore) {
    HeaderSection section;
    parse_headers("Received: x\r\n\r\n", 10, section);
    parse_headers("To: a", 10, section);
    EXPECT_TRUE(section.fields.empty());
    EXPECT_EQ(section.received_count, 0U);
    EXPECT_FALSE(section.has_blank_line);
    parse_headers("\r\n", 10, section);
    EXPECT_FALSE(section.truncated);
}

TEST(Field, IsKnownByItsNameInAnyCase) {
    const std::pair<const char*, Field> names[] = {
        {"From", Field::from},
        {"Sender", Field::sender},
        {"To", Field::to},
        {"Cc", Field::cc},
        {"Bcc", Field::bcc},
        {"Date", Field::date},
        {"Message-ID", Field::message_id},
        {"Received", Field::received},
        {"Delivered-To", Field::delivered_to},
        {"Return-Path", Field::return_path},
        {"Subject", Field::subject},
        {"Resent-From", Field::resent_from},
        {"Resent-Date", Field::resent_date},
        {"Resent-Message-ID", Field::resent_message_id},
        {"Resent-To", Field::resent_to},
        {"Resent-Cc", Field::resent_cc},
        {"Resent-Bcc", Field::resent_bcc},
        {"Content-Length", Field::content_length},
        {"Reply-To", Field::reply_to},
        {"MIME-Version", Field::mime_version},
        {"Content-Type", Field::content_type},
        {"Content-Transfer-Encoding", Field::content_transfer_encoding}};
    EXPECT_EQ(std::size(names), static_cast<size_t>(Field::content_transfer_encoding));
    for (const auto& [name, field] : names) {
        EXPECT_EQ(field_named(name), field) << name;
        EXPECT_EQ(field_named(lowered(name)), field) << name;
        EXPECT_EQ(field_named(std::string(name) + "x"), Field::other);
    }
    EXPECT_EQ(field_named(""), Field::other);
}

// "a|b" for what was found, with " …" when the value does not parse to its end.
std::string addresses(std::string_view value, size_t addresses_max = 100) {
    std::vector<std::string_view> found;
    const bool whole = addresses_in(value, addresses_max, found);
    std::string text;
    for (const std::string_view address : found) {
        if (!text.empty()) text += '|';
        text += address;
    }
    return text + (whole ? "" : " …");
}

TEST(Addresses, AreFoundInEveryFormOfRfc5322) {
    EXPECT_EQ(addresses("a@b"), "a@b");
    EXPECT_EQ(addresses("root"), "root");
    EXPECT_EQ(addresses("a@b, c@d,e"), "a@b|c@d|e");
    EXPECT_EQ(addresses("Ann <a@b>, \"B, c <x@y>\" <d@e>"), "a@b|d@e");
    EXPECT_EQ(addresses("a@b (Ann (the \\) first), x@y), (c)d@e(f)"), "a@b|d@e");
    EXPECT_EQ(addresses("Ann\r\n Bee <a@b>,\r\n\tc@d"), "a@b|c@d");
    EXPECT_EQ(addresses("\"a \\\" b\"@c, <\"x>\"@[192.0.2.1]>"),
              "\"a \\\" b\"@c|\"x>\"@[192.0.2.1]");
    EXPECT_EQ(addresses("team: a@b, Cee <c@d>;, e@f"), "a@b|c@d|e@f");
    EXPECT_EQ(addresses("undisclosed-recipients:;"), "");
    EXPECT_EQ(addresses("<@x,@y:a@b>"), "a@b");
    EXPECT_EQ(addresses("\"folded\r\n name\" < a@b >"), "a@b");
    EXPECT_EQ(addresses("j\xc3\xb6rg@b"), "j\xc3\xb6rg@b");
    EXPECT_EQ(addresses(", a@b,,"), "a@b");
    EXPECT_EQ(addresses(""), "");
    EXPECT_EQ(addresses("Nobody <>"), "");
}

TEST(Addresses, StopWhereNobodyCanSayWhatIsMeant) {
    EXPECT_EQ(addresses("a@b, Ann Bee, c@d"), "a@b …");
    for (const char* bad :
         {"a@b c@d", "<a@b",  "a@b>",  "<a@b>>",   "<<a@b>>", "<a@b> c", "<a@b> <c@d>",
          "(a@b",    "\"a@b", "[",     "a@[b",     "a)",      "a\\b",    "a@b@c",
          "@b",      "a@",    "<@b>",  "<@a,b@c>", "<a,b>",   "<a;b>",   "x:y:a;",
          "x:a",     ";",     ":a@b;", "a\x01@b",  "a @ b",   "a@(c)b",  "\"a\r\n b\"@c",
          "a\\"}) {
        const std::string text = addresses(bad);
        EXPECT_TRUE(text.ends_with("…")) << bad << " gave " << text;
    }
}

TEST(Addresses, AreBounded) {
    EXPECT_EQ(addresses("a,b,c", 3), "a|b|c");
    EXPECT_EQ(addresses("a,b,c", 2), "a|b …");
    EXPECT_EQ(addresses(std::string(100'000, '(') + std::string(100'000, ')') + "a@b"), "a@b");
}

}  // namespace
}  // namespace posthaste
