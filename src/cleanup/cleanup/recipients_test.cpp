#include "cleanup/cleanup/recipients.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mail/address.h"

namespace posthaste::cleanup {
namespace {

using testing::ElementsAre;

CleanupPolicy policy() {
    CleanupPolicy out;
    out.envelope = {"origin.example", ""};
    out.duplicates_max = 1000;
    return out;
}

Envelope to(std::vector<std::string> addresses) {
    Envelope out;
    for (auto& address : addresses)
        out.recipients.push_back({std::move(address), "", kNotifyUnset});
    return out;
}

std::vector<std::string> left(const Envelope& envelope) {
    std::vector<std::string> out;
    for (const Recipient& recipient : envelope.recipients) out.push_back(recipient.address);
    return out;
}

TEST(Recipients, AreCompletedAsTheSenderIs) {
    auto envelope = to({"joe", "ann@a.example"});
    envelope.sender = "me";
    complete_envelope(policy(), envelope);
    EXPECT_EQ(envelope.sender, "me@origin.example");
    EXPECT_THAT(left(envelope), ElementsAre("joe@origin.example", "ann@a.example"));
}

TEST(Recipients, AreToldOfByTheAddressThatWasGiven) {
    auto envelope = to({"joe", "ann@a.example", "max"});
    envelope.recipients[2].original_recipient = "rfc822;list@b.example";
    complete_envelope(policy(), envelope);
    EXPECT_EQ(envelope.recipients[0].original_recipient, "rfc822;joe");
    EXPECT_EQ(envelope.recipients[1].original_recipient, "");
    EXPECT_EQ(envelope.recipients[2].original_recipient, "rfc822;list@b.example");
}

TEST(Recipients, TheEmptySenderStaysEmpty) {
    auto envelope = to({"joe@a.example"});
    complete_envelope(policy(), envelope);
    EXPECT_EQ(envelope.sender, "");
}

TEST(Recipients, AnAddressIsNotCompletedBeyondItsBound) {
    auto envelope = to({std::string(kAddressBytesMax - 3, 'a')});
    complete_envelope(policy(), envelope);
    EXPECT_EQ(envelope.recipients[0].address.size(), kAddressBytesMax - 3);
}

TEST(Recipients, TheFirstOfEqualOnesStays) {
    auto envelope = to({"b@X.example", "a@x.example", "b@x.EXAMPLE", "B@x.example", "a@x.example"});
    drop_duplicates(policy(), envelope);
    EXPECT_THAT(left(envelope), ElementsAre("b@X.example", "a@x.example", "B@x.example"));
}

TEST(Recipients, DifferWhenTheirDsnWishesDoUnlessToldOtherwise) {
    auto envelope = to({"a@x.example", "a@x.example", "a@x.example"});
    envelope.recipients[1].original_recipient = "rfc822;b@x.example";
    envelope.recipients[2].notify = kNotifyNever;
    auto same = envelope;
    auto by_original = policy();
    by_original.tell_duplicates_by_original = true;
    drop_duplicates(by_original, envelope);
    EXPECT_EQ(envelope.recipients.size(), 3U);
    auto by_address = policy();
    by_address.tell_duplicates_by_original = false;
    drop_duplicates(by_address, same);
    EXPECT_EQ(same.recipients.size(), 1U);
}

TEST(Recipients, BeyondTheLimitAreLetThroughUnseen) {
    auto limited = policy();
    limited.duplicates_max = 2;
    auto envelope = to({"a@x", "b@x", "c@x", "c@x", "a@x"});
    drop_duplicates(limited, envelope);
    EXPECT_THAT(left(envelope), ElementsAre("a@x", "b@x", "c@x", "c@x"));
    limited.duplicates_max = 0;
    drop_duplicates(limited, envelope);
    EXPECT_THAT(left(envelope), ElementsAre("a@x", "b@x", "c@x"));
}

}  // namespace
}  // namespace posthaste::cleanup
