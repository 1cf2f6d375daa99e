// An address or path: the choice (bit 0: UTF-8 allowed, bit 1: strict), then the text.
#include <string>

#include "mail/address.h"
#include "mail/path.h"
#include "mail/xtext.h"

#include "tests/fuzz/fuzz.h"

using namespace posthaste;

namespace {

std::string in_brackets(std::string_view address) { return "<" + std::string(address) + ">"; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view text = fuzz::text_of(data, size);
    const auto choice = fuzz::take_choice(text);
    const bool allow_utf8 = (choice & 1) != 0;
    const PathRules rules{.utf8 = allow_utf8, .strict = (choice & 2) != 0};
    const PathRules lenient{.utf8 = allow_utf8};

    if (const auto path = parse_path(text, rules)) {
        ASSERT(fuzz::is_inside(path->given, text) && fuzz::is_inside(path->rest, text));
        ASSERT(!fuzz::has_control(path->address) && path->address.size() <= kAddressBytesMax);
        ASSERT(allow_utf8 ? is_utf8(path->address) : is_ascii(path->address));
        ASSERT(path->rest.empty() || path->rest[0] == ' ' || path->rest[0] == '\t');
        // Sent on in a command of ours, it is read as the same address.
        const std::string again = in_brackets(path->address);
        const auto second = parse_path(again, lenient);
        ASSERT(second && second->address == path->address && second->rest.empty());
        // It is quoted where it must be and nowhere else.
        std::string external;
        append_external(external, path->address);
        ASSERT(external == path->address);
    }
    if (is_valid_address(text, allow_utf8)) {
        const std::string again = in_brackets(text);
        // Strict is a part of lenient, and both mean the same.
        const auto path = parse_path(again, lenient);
        const auto strict = parse_path(again, {.utf8 = allow_utf8, .strict = true});
        ASSERT(path && (!strict || path->address == strict->address));
    }

    const std::string_view domain = domain_of(text);
    const std::string_view local = local_part_of(text);
    ASSERT(fuzz::is_inside(domain, text) && fuzz::is_inside(local, text));
    if (!domain.empty()) ASSERT(std::string(local) + "@" + std::string(domain) == text);
    const std::string canonical = canonical_address(text);
    ASSERT(canonical_address(canonical) == canonical);
    ASSERT(canonical.size() == text.size() && local_part_of(canonical) == local);

    if (is_valid_hostname(text)) ASSERT(parse_path("<a@" + std::string(text) + ">", {}));
    (void)is_address_literal(text);
    ASSERT(from_xtext(to_xtext(text)) == std::string(text));
    if (const auto decoded = from_xtext(text)) ASSERT(decoded->size() <= text.size());
    return 0;
}
