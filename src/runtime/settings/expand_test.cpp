#include "runtime/settings/expand.h"

#include <gtest/gtest.h>
#include <map>
#include <vector>

namespace posthaste {
namespace {

const std::map<std::string, std::string, std::less<>> kValues = {
    {"host", "mail.example.com"}, {"empty", ""}, {"greeting", "$host hello"}, {"level", "3.6"},
    {"self", "x$self"},           {"five", "5"}, {"slow-lane", "7"},
};

std::string expanded(std::string_view value) {
    const auto out = expand(value, [](std::string_view name) -> std::optional<std::string> {
        const auto found = kValues.find(name);
        if (found == kValues.end()) return std::nullopt;
        return found->second;
    });
    return out.fault.empty() ? out.text : "fault: " + out.fault;
}

TEST(Expand, ReplacesNamesByTheirExpandedValues) {
    EXPECT_EQ(expanded("$host"), "mail.example.com");
    EXPECT_EQ(expanded("<${host}>"), "<mail.example.com>");
    EXPECT_EQ(expanded("$greeting, $five!"), "mail.example.com hello, 5!");
    EXPECT_EQ(expanded("$unheard_of."), ".");
    EXPECT_EQ(expanded("${slow-lane}"), "7");
    EXPECT_EQ(expanded("$(five)$(slow-lane)$(host?a)"), "57a");
    EXPECT_EQ(expanded("cost $$5"), "cost $5");
}

TEST(Expand, ChoosesByWhetherAValueIsEmpty) {
    EXPECT_EQ(expanded("${host?yes $five}"), "yes 5");
    EXPECT_EQ(expanded("${empty?yes}"), "");
    EXPECT_EQ(expanded("${empty:no}"), "no");
    EXPECT_EQ(expanded("${host:no}"), "");
    EXPECT_EQ(expanded("${host?{a $five}:{b}}"), "a 5");
    EXPECT_EQ(expanded("${empty?{a}:{b ${host}}}s"), "b mail.example.coms");
    EXPECT_EQ(expanded("${empty ? { a } : { b }}"), "b");
    EXPECT_EQ(expanded("${empty:{b}}"), "b");
}

TEST(Expand, Compares) {
    EXPECT_EQ(expanded("${{$five} == {5} ? {same} : {other}}"), "same");
    EXPECT_EQ(expanded("${{$five} != {5} ? {same} : {other}}"), "other");
    EXPECT_EQ(expanded("${{10} > {9} ? {number} : {text}}"), "number");
    EXPECT_EQ(expanded("${{x10} > {x9} ? {number} : {text}}"), "text");
    EXPECT_EQ(expanded("${{007} == {7}?{a}:{b}}"), "a");
    EXPECT_EQ(expanded("${{$level} <level {3.10} ? {old} : {new}}"), "old");
    EXPECT_EQ(expanded("${{$level} >=level {3.6} ? {new} : {old}}"), "new");
    EXPECT_EQ(expanded("${{$level} <level {1} ? {yes} : {no}}"), "no");
}

TEST(Expand, NamesWhatIsWrong) {
    for (const auto bad : {"${host", "$", "$ host", "${}", "${host?{a}:{b", "${host?{a}x}",
                           "${{a} ~ {b}}", "${{a} == b}", "${host%x}", "$(host"})
        EXPECT_EQ(expanded(bad).substr(0, 6), "fault:") << bad;
}

TEST(Expand, AValueThatNamesItselfEnds) { EXPECT_EQ(expanded("$self").substr(0, 6), "fault:"); }

TEST(Expand, DoublingEndsToo) {
    // Each name twice the one before: 2^26 steps if nothing stopped them.
    const auto out = expand("$a", [](std::string_view name) -> std::optional<std::string> {
        if (name == "z") return "z";
        const char next = static_cast<char>(name[0] + 1);
        return "$" + std::string(1, next) + "$" + std::string(1, next);
    });
    EXPECT_NE(out.fault, "");
}

TEST(Expand, ListsTheNamesAValueMentions) {
    std::vector<std::string> names;
    for_each_name("$a ${b?{$c}:{${d-e}}} $$f ${{$g} == {1}}",
                  [&](std::string_view name) { names.emplace_back(name); });
    EXPECT_EQ(names, (std::vector<std::string>{"a", "b", "c", "d-e", "g"}));
}

}  // namespace
}  // namespace posthaste
