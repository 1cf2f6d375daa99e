// An address or path: the choice (bit 0: UTF-8 allowed), then the text.
#include <string>

#include "mail/address.h"
#include "mail/xtext.h"

#include "tests/fuzz/fuzz.h"

using namespace posthaste;

namespace {

std::string in_brackets(std::string_view address) { return "<" + std::string(address) + ">"; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view text = fuzz::text_of(data, size);
    const bool allow_utf8 = (fuzz::take_choice(text) & 1) != 0;

    if (const auto path = parse_path(text, allow_utf8)) {
        ASSERT(fuzz::is_inside(path->address, text) && fuzz::is_inside(path->rest, text));
        ASSERT(!fuzz::has_control(path->address) && path->address.size() <= kAddressBytesMax);
        ASSERT(allow_utf8 ? is_utf8(path->address) : is_ascii(path->address));
        ASSERT(path->rest.empty() || path->rest[0] == ' ' || path->rest[0] == '\t');
        // Sent on in a command of ours, it is read as the same address.
        const std::string again = in_brackets(path->address);
        const auto second = parse_path(again, allow_utf8);
        ASSERT(second && second->address == path->address && second->rest.empty());
    }
    if (is_valid_address(text, allow_utf8)) {
        const std::string again = in_brackets(text);
        const auto path = parse_path(again, allow_utf8);
        ASSERT(path && path->address == text);  // strict is a part of lenient
    }

    const std::string_view domain = domain_of(text);
    const std::string_view local = local_part_of(text);
    ASSERT(fuzz::is_inside(domain, text) && fuzz::is_inside(local, text));
    if (!domain.empty()) ASSERT(std::string(local) + "@" + std::string(domain) == text);
    const std::string canonical = canonical_address(text);
    ASSERT(canonical_address(canonical) == canonical);
    ASSERT(canonical.size() == text.size() && local_part_of(canonical) == local);

    if (is_valid_hostname(text)) ASSERT(parse_path("<a@" + std::string(text) + ">", false));
    (void)is_address_literal(text);
    ASSERT(from_xtext(to_xtext(text)) == std::string(text));
    if (const auto decoded = from_xtext(text)) ASSERT(decoded->size() <= text.size());
    return 0;
}
