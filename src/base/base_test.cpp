#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/ip_address.h"
#include "base/result.h"
#include "base/strings.h"

namespace posthaste {
namespace {

TEST(ByteReader, FailsForGoodAfterTheFirstShortRead) {
    std::string bytes;
    ByteWriter writer(bytes);
    writer.number<uint32_t>(7);
    writer.text("abc");
    ByteReader reader(bytes);
    EXPECT_EQ(reader.number<uint32_t>(), 7U);
    EXPECT_EQ(reader.text(10), "abc");
    EXPECT_TRUE(reader.complete());
    EXPECT_EQ(reader.number<uint16_t>(), 0);
    EXPECT_FALSE(reader.ok());
    EXPECT_EQ(reader.raw(0), "");
    EXPECT_FALSE(reader.ok());
}

TEST(ByteReader, RefusesATextThatIsLongerThanItsBoundOrTheBytes) {
    std::string bytes;
    ByteWriter(bytes).text("abcdef");
    EXPECT_EQ(ByteReader(bytes).text(5), "");
    bytes.resize(bytes.size() - 1);
    ByteReader reader(bytes);
    EXPECT_EQ(reader.text(6), "");
    EXPECT_FALSE(reader.ok());
}

TEST(Strings, NumbersAreWholeOrNothing) {
    EXPECT_EQ(parse_number("25", 65535), 25U);
    EXPECT_FALSE(parse_number("", 10));
    EXPECT_FALSE(parse_number("2x", 10));
    EXPECT_FALSE(parse_number("-1", 10));
    EXPECT_FALSE(parse_number("11", 10));
    EXPECT_FALSE(parse_number("99999999999999999999"));
}

TEST(Strings, SplitLeavesEmptyPiecesOut) {
    EXPECT_EQ(split(" a, b ,,c", ", "), (std::vector<std::string_view>{"a", "b", "c"}));
    EXPECT_TRUE(split(" , ", ", ").empty());
}

TEST(Strings, PrintableCutsAndReplaces) { EXPECT_EQ(printable("a\r\nb\xff", 4), "a??b"); }

TEST(IpAddress, ParsesAndPrintsBothFamilies) {
    EXPECT_EQ(IpAddress::parse("192.0.2.1")->text(), "192.0.2.1");
    EXPECT_EQ(IpAddress::parse("2001:db8::1")->text(), "2001:db8::1");
    EXPECT_FALSE(IpAddress::parse("192.0.2"));
    EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0", 8)));
    EXPECT_EQ(IpAddress::parse("::ffff:10.0.0.1")->unmapped().text(), "10.0.0.1");
}

TEST(Endpoint, NeedsAPortAndBracketsAroundIpv6) {
    EXPECT_EQ(Endpoint::parse("127.0.0.1:2525")->text(), "127.0.0.1:2525");
    EXPECT_EQ(Endpoint::parse("[::1]:25")->text(), "[::1]:25");
    EXPECT_FALSE(Endpoint::parse("::1:25"));
    EXPECT_FALSE(Endpoint::parse("127.0.0.1"));
    EXPECT_FALSE(Endpoint::parse("127.0.0.1:65536"));
}

TEST(IpNetwork, ContainsWhatSharesItsPrefix) {
    const auto net = IpNetwork::parse("10.0.0.0/8");
    EXPECT_TRUE(net->contains(*IpAddress::parse("10.255.1.1")));
    EXPECT_TRUE(net->contains(*IpAddress::parse("::ffff:10.1.1.1")));
    EXPECT_FALSE(net->contains(*IpAddress::parse("11.0.0.1")));
    EXPECT_FALSE(IpNetwork::parse("10.0.0.1/8")) << "host bits set";
    EXPECT_TRUE(IpNetwork::parse("[::1]/128")->contains(*IpAddress::parse("::1")));
    EXPECT_TRUE(IpNetwork::parse("192.0.2.7")->contains(*IpAddress::parse("192.0.2.7")));
}

TEST(Result, CarriesAValueOrAnErrorWithItsPlace) {
    const auto half = [](int n) -> Result<int> {
        if (n % 2) return Error{Errc::malformed, 0, "half"};
        return n / 2;
    };
    const auto quarter = [&](int n) -> Result<int> {
        ASSIGN_OR_RETURN(const int h, half(n));
        return half(h);
    };
    EXPECT_EQ(*quarter(8), 2);
    EXPECT_EQ(quarter(6).error().text(), "half: malformed");
}

}  // namespace
}  // namespace posthaste
