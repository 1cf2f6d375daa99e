#include "mail/envelope.h"

#include <algorithm>
#include <gtest/gtest.h>

#include "mail/address.h"

namespace posthaste {
namespace {

Envelope sample() {
    Envelope envelope;
    envelope.id = 0x0006'6123'4567'89ab;
    envelope.arrived_wall_us = 1'795'332'600'123'456;
    envelope.size_bytes = 4096;
    envelope.sender = "a@b";
    envelope.recipients = {{"c@d", "rfc822;e@f", kNotifyFailure | kNotifyDelay},
                           {"g@h", "", kNotifyUnset}};
    envelope.body_8bit = true;
    envelope.dsn_return = DsnReturn::headers;
    envelope.envelope_id = "id";
    envelope.client_name = "unknown";
    envelope.client_address = "192.0.2.1";
    envelope.helo = "h";
    envelope.protocol = "ESMTP";
    return envelope;
}

std::string encoded(const Envelope& envelope) {
    std::string out = "whatever was here";
    encode_envelope(envelope, out);
    return out;
}

// The check agrees with the decoder on every envelope of these tests.
Result<Envelope> decoded_and_checked(std::string_view bytes) {
    auto decoded = decode_envelope(bytes);
    const auto checked = check_envelope(bytes);
    EXPECT_EQ(checked.has_value(), decoded.has_value());
    if (checked && decoded) {
        EXPECT_EQ(checked->id, decoded->id);
        EXPECT_EQ(checked->size_bytes, decoded->size_bytes);
    } else if (!checked && !decoded) {
        EXPECT_EQ(checked.error().code, decoded.error().code);
    }
    return decoded;
}

std::string text(std::string_view bytes) {
    std::string out(1, static_cast<char>(bytes.size()));
    return out + std::string(3, '\0') + std::string(bytes);
}

void expect_equal(const Envelope& a, const Envelope& b) {
    EXPECT_EQ(a.id, b.id);
    EXPECT_EQ(a.arrived_wall_us, b.arrived_wall_us);
    EXPECT_EQ(a.size_bytes, b.size_bytes);
    EXPECT_EQ(a.sender, b.sender);
    EXPECT_EQ(a.smtputf8, b.smtputf8);
    EXPECT_EQ(a.body_8bit, b.body_8bit);
    EXPECT_EQ(a.dsn_return, b.dsn_return);
    EXPECT_EQ(a.envelope_id, b.envelope_id);
    EXPECT_EQ(a.client_name, b.client_name);
    EXPECT_EQ(a.client_address, b.client_address);
    EXPECT_EQ(a.helo, b.helo);
    EXPECT_EQ(a.protocol, b.protocol);
    ASSERT_EQ(a.recipients.size(), b.recipients.size());
    for (size_t i = 0; i < a.recipients.size(); ++i) {
        EXPECT_EQ(a.recipients[i].address, b.recipients[i].address);
        EXPECT_EQ(a.recipients[i].original_recipient, b.recipients[i].original_recipient);
        EXPECT_EQ(a.recipients[i].notify, b.recipients[i].notify);
    }
}

// These bytes lie in queues on disk: when this test fails, a version is missing.
TEST(Envelope, HasTheBytesOfVersionOne) {
    std::string golden("\x01\x02\x02\x00", 4);
    golden += std::string("\xab\x89\x67\x45\x23\x61\x06\x00", 8);
    golden += std::string("\x40\x50\xe2\x71\xd8\x60\x06\x00", 8);
    golden += std::string("\x00\x10\x00\x00\x00\x00\x00\x00", 8);
    golden += std::string("\x02\x00\x00\x00", 4);
    golden +=
        text("a@b") + text("id") + text("unknown") + text("192.0.2.1") + text("h") + text("ESMTP");
    golden += "\x0c" + text("c@d") + text("rfc822;e@f");
    golden += std::string(1, '\0') + text("g@h") + text("");
    EXPECT_EQ(encoded(sample()), golden);
}

TEST(Envelope, ReadsBackWhatItWrote) {
    const auto decoded = decoded_and_checked(encoded(sample()));
    ASSERT_TRUE(decoded);
    expect_equal(*decoded, sample());

    Envelope bounce;
    bounce.smtputf8 = true;
    bounce.recipients = {{"x", "", kNotifyNever}};
    const auto second = decoded_and_checked(encoded(bounce));
    ASSERT_TRUE(second);
    expect_equal(*second, bounce);
}

TEST(Envelope, RefusesEveryCutAndEveryExtraByte) {
    const std::string good = encoded(sample());
    for (size_t size = 0; size < good.size(); ++size) {
        const auto cut = decoded_and_checked(good.substr(0, size));
        ASSERT_FALSE(cut) << size;
        EXPECT_EQ(cut.error().code, Errc::malformed);
    }
    EXPECT_FALSE(decoded_and_checked(good + '\0'));
}

TEST(Envelope, RefusesWhatItDoesNotKnow) {
    const auto with = [](size_t at, char value) {
        std::string bytes = encoded(sample());
        bytes[at] = value;
        return decoded_and_checked(bytes).has_value();
    };
    EXPECT_TRUE(with(0, 1));
    EXPECT_FALSE(with(0, 2)) << "version";
    EXPECT_FALSE(with(1, 4)) << "flags";
    EXPECT_FALSE(with(2, 3)) << "dsn_return";
    EXPECT_FALSE(with(3, 1)) << "reserved";
    EXPECT_FALSE(with(11, 1)) << "id beyond its range";
    EXPECT_FALSE(with(28, 0)) << "no recipients";
    EXPECT_FALSE(with(28, 1)) << "fewer recipients than there are";
    EXPECT_FALSE(with(31, '\x7f')) << "more recipients than there can be";
    EXPECT_FALSE(with(36, '\n')) << "a line break in the sender";
}

TEST(Envelope, RefusesAddressesThatNoParserLetsThrough) {
    for (const std::string& address : {std::string("a\r\nDATA"), std::string("a\0b", 3),
                                       std::string(), std::string(kAddressBytesMax + 1, 'a')}) {
        Envelope envelope = sample();
        envelope.recipients[1].address = address;
        EXPECT_FALSE(decoded_and_checked(encoded(envelope)));
        EXPECT_FALSE(envelope_fits(envelope));
    }
    Envelope envelope = sample();
    envelope.recipients[0].notify = kNotifyNever | kNotifyDelay;
    EXPECT_FALSE(decoded_and_checked(encoded(envelope)));
    EXPECT_FALSE(envelope_fits(envelope));
}

TEST(Envelope, MakesWhatOnlyInformsFit) {
    Envelope envelope = sample();
    envelope.helo = "a\tb\r\n" + std::string(10'000, 'x');
    envelope.client_name = std::string("\0\x7f", 2);
    envelope.envelope_id = std::string(1000, 'e');
    ASSERT_TRUE(envelope_fits(envelope));
    const auto decoded = decoded_and_checked(encoded(envelope));
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->helo, "a?b??" + std::string(kClientTextBytesMax - 5, 'x'));
    EXPECT_EQ(decoded->client_name, "??");
    EXPECT_EQ(decoded->envelope_id, std::string(kEnvelopeIdBytesMax, 'e'));
}

TEST(Envelope, FitsExactlyWhenItDecodes) {
    Envelope envelope = sample();
    envelope.recipients.assign(kRecipientsMax, {"abcdefgh@example.com", "", kNotifyUnset});
    EXPECT_TRUE(envelope_fits(envelope));
    EXPECT_TRUE(decoded_and_checked(encoded(envelope)));
    envelope.recipients.push_back({"one@too.many", "", kNotifyUnset});
    EXPECT_FALSE(envelope_fits(envelope));
    EXPECT_FALSE(decoded_and_checked(encoded(envelope)));

    // Grown byte by byte over the size that a ring record holds.
    envelope.recipients.assign(1000, {std::string(500, 'a'), "", kNotifyUnset});
    bool fitted = true;
    while (fitted) {
        fitted = envelope_fits(envelope);
        const std::string bytes = encoded(envelope);
        EXPECT_EQ(fitted, bytes.size() <= kEnvelopeBytesMax);
        const auto decoded = decoded_and_checked(bytes);
        EXPECT_EQ(decoded.has_value(), fitted);
        if (!fitted) {
            EXPECT_EQ(decoded.error().code, Errc::too_large);
        }
        const size_t missing =
            kEnvelopeBytesMax - std::min<size_t>(bytes.size(), kEnvelopeBytesMax);
        envelope.recipients.push_back({std::string(missing > 600  ? 500
                                                   : missing > 10 ? missing - 9
                                                                  : 1,
                                                   'b'),
                                       "", kNotifyUnset});
    }
}

}  // namespace
}  // namespace posthaste
