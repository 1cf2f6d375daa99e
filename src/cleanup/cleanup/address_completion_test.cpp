#include "cleanup/cleanup/address_completion.h"

#include <gtest/gtest.h>

namespace posthaste::cleanup {
namespace {

const AddressCompletion kBoth{"origin.example", "parent.example"};

std::string completed(std::string_view address, const AddressCompletion& completion = kBoth) {
    std::string out;
    append_completed(address, completion, out);
    return out;
}

TEST(AddressCompletion, GivesABareUserTheOrigin) {
    EXPECT_EQ(completed("user"), "user@origin.example");
    EXPECT_EQ(completed("\"a@b\""), "\"a@b\"@origin.example");
}

TEST(AddressCompletion, GivesABareHostItsParent) {
    EXPECT_EQ(completed("user@host"), "user@host.parent.example");
}

TEST(AddressCompletion, LeavesCompleteAddressesAlone) {
    for (const std::string_view address :
         {"user@host.example", "user@[192.0.2.1]", "user@[IPv6:::1]", ""}) {
        EXPECT_EQ(completed(address), address);
        EXPECT_TRUE(is_complete(address, kBoth));
    }
}

TEST(AddressCompletion, DoesOnlyWhatItIsSetTo) {
    EXPECT_EQ(completed("user", {}), "user");
    EXPECT_EQ(completed("user@host", {"origin.example", ""}), "user@host");
}

std::string completed_field(std::string_view text, size_t addresses_max = 100,
                            size_t out_bytes_max = 1000) {
    HeaderSection section;
    parse_headers(text, 10, section);
    std::string out;
    const bool changed = append_completed_field(section.fields.at(0), kBoth, addresses_max,
                                                out_bytes_max, out) == Completed::yes;
    EXPECT_EQ(changed, !out.empty());
    return out;
}

TEST(AddressCompletion, OfAFieldKeepsEverythingElse) {
    EXPECT_EQ(
        completed_field("To:  joe (x), \"a, b\" <ann>,\r\n\tok@a.example, list: bob@host;\r\n\r\n"),
        "To:  joe@origin.example (x), \"a, b\" <ann@origin.example>,\r\n\tok@a.example, "
        "list: bob@host.parent.example;\r\n");
}

TEST(AddressCompletion, LeavesAFieldAloneThatNeedsNothingOrDoesNotParse) {
    EXPECT_EQ(completed_field("To: ok@a.example\r\n\r\n"), "");
    EXPECT_EQ(completed_field("To: joe, <broken\r\n\r\n"), "");
    EXPECT_EQ(completed_field("To: a, b, c\r\n\r\n", 2), "");
    const std::string whole = "To: a@origin.example, b@origin.example\r\n";
    EXPECT_EQ(completed_field("To: a, b\r\n\r\n", 2, whole.size()), whole);
    EXPECT_EQ(completed_field("To: a, b\r\n\r\n", 2, whole.size() - 1), "");
}

}  // namespace
}  // namespace posthaste::cleanup
