#include "lookup/table.h"

#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

#include "lookup/table_list.h"
#include "lookup/texthash.h"

namespace posthaste {
namespace {

std::string found(const Table& table, std::string_view key) {
    const auto value = table.find(key);
    return value && *value ? **value : "(none)";
}

std::string error_of_opening(std::string_view spec) {
    OpenReport report;
    return open_table(spec, report) ? "(opened)" : report.error;
}

class TextFile {
 public:
    explicit TextFile(std::string_view text) {
        char name[] = "/tmp/posthaste-lookup-XXXXXX";
        const int file = ::mkstemp(name);
        path_ = name;
        std::ofstream(path_) << text;
        ::close(file);
    }

    ~TextFile() { ::unlink(path_.c_str()); }

    const std::string& path() const { return path_; }

 private:
    std::string path_;
};

TEST(InlineTable, HoldsItsPairs) {
    OpenReport report;
    const auto table = open_table("inline:{ a=b, {c = d e}, f={g  h} i=j=k }", report);
    ASSERT_TRUE(table) << report.error;
    EXPECT_EQ(found(*table, "a"), "b");
    EXPECT_EQ(found(*table, "c"), "d e");
    EXPECT_EQ(found(*table, "f"), "g  h");
    EXPECT_EQ(found(*table, "i"), "j=k");
    EXPECT_EQ(found(*table, "d"), "(none)");
}

TEST(InlineTable, DoesNotMindCase) {
    OpenReport report;
    const auto table = open_table("inline:{ Example.COM=x }", report);
    ASSERT_TRUE(table);
    EXPECT_EQ(found(*table, "eXample.com"), "x");
}

TEST(InlineTable, KeepsTheLastOfTwoAndWarns) {
    OpenReport report;
    const auto table = open_table("inline:{ a=1, A=2 }", report);
    ASSERT_TRUE(table);
    EXPECT_EQ(found(*table, "a"), "2");
    ASSERT_EQ(report.warnings.size(), 1U);
    EXPECT_NE(report.warnings[0].find("duplicate entry: \"A\""), std::string::npos);
}

TEST(InlineTable, RefusesWhatIsNoPair) {
    EXPECT_NE(error_of_opening("inline:a=b").find("expected inline:{"), std::string::npos);
    EXPECT_NE(error_of_opening("inline:{ a }").find("expected key=value"), std::string::npos);
    EXPECT_NE(error_of_opening("inline:{ {a=b }").find("unbalanced"), std::string::npos);
    EXPECT_NE(error_of_opening("inline:{ }").find("nothing"), std::string::npos);
}

TEST(StaticTable, AnswersEverything) {
    OpenReport report;
    const auto table = open_table("static:relay:[10.0.0.1]", report);
    ASSERT_TRUE(table);
    EXPECT_EQ(found(*table, "whatever"), "relay:[10.0.0.1]");
    EXPECT_FALSE(table->may_hold_addresses_in("example.com"));
}

TEST(OpenTable, NamesTheTypeItDoesNotKnow) {
    EXPECT_NE(error_of_opening("hash:/etc/x").find("; write texthash:/etc/x,"), std::string::npos);
    EXPECT_EQ(error_of_opening("ldap:/etc/x").find("; write"), std::string::npos);
    EXPECT_NE(error_of_opening("ldap:/etc/x").find("unsupported table type \"ldap\""),
              std::string::npos);
    EXPECT_NE(error_of_opening("/etc/x").find("expected type:name"), std::string::npos);
}

std::string parse_error(std::string_view text) {
    MemoryTable table("t");
    OpenReport report;
    return parse_texthash(text, "map", table, report) ? "(fine)" : report.error;
}

TEST(Texthash, ReadsPostfixLines) {
    MemoryTable table("t");
    OpenReport report;
    ASSERT_TRUE(
        parse_texthash("# comment\n"
                       "\n"
                       "example.com   relay:[10.0.0.1]:2525  \n"
                       "  # an indented comment does not end the line\n"
                       ".example.com smtp:\r\n"
                       "long.example  error:one\n"
                       "# nor does this\n"
                       "\ttwo\n"
                       "   three\n"
                       "\"a \\\"b\\\" c\" quoted\n"
                       "\"x y\"@example.com  smtp:[10.0.0.2]\n"
                       "last x",
                       "map", table, report))
        << report.error;
    EXPECT_EQ(found(table, "example.com"), "relay:[10.0.0.1]:2525");
    EXPECT_EQ(found(table, ".example.com"), "smtp:");
    EXPECT_EQ(found(table, "long.example"), "error:one two three");
    EXPECT_EQ(found(table, "\"a \\\"b\\\" c\""), "quoted");
    EXPECT_EQ(found(table, "\"x y\"@example.com"), "smtp:[10.0.0.2]");
    EXPECT_EQ(found(table, "last"), "x");
    EXPECT_EQ(table.size(), 6U);
}

TEST(Texthash, NamesFileAndLineOfAnError) {
    EXPECT_EQ(parse_error("a b\n\nlonely\n"), "map:3: expected format: key whitespace value");
    EXPECT_EQ(parse_error("a b\n c\nlonely\n"), "map:3: expected format: key whitespace value");
    EXPECT_EQ(parse_error("# x\n  a b\n").substr(0, 6), "map:2:");
    EXPECT_EQ(parse_error("\"open b\n").substr(0, 6), "map:1:");
    EXPECT_EQ(parse_error("a\"b c\n").substr(0, 6), "map:1:");
}

TEST(Texthash, WarnsOfDuplicates) {
    MemoryTable table("t");
    OpenReport report;
    ASSERT_TRUE(parse_texthash("a 1\nA 2\n", "map", table, report));
    EXPECT_EQ(found(table, "a"), "1");
    ASSERT_EQ(report.warnings.size(), 1U);
    EXPECT_EQ(report.warnings[0], "map:2: duplicate entry: \"A\"");
}

TEST(Texthash, KnowsWhichDomainsHaveAddressesOfTheirOwn) {
    MemoryTable table("t");
    OpenReport report;
    ASSERT_TRUE(parse_texthash("user@Example.com x\n@other.example y\nplain.example z\n", "map",
                               table, report));
    EXPECT_TRUE(table.may_hold_addresses_in("EXAMPLE.com"));
    EXPECT_FALSE(table.may_hold_addresses_in("other.example"));
    EXPECT_FALSE(table.may_hold_addresses_in("plain.example"));
}

TEST(Texthash, IsReadFromAFile) {
    const TextFile file("a b\n");
    OpenReport report;
    const auto table = open_table("texthash:" + file.path(), report);
    ASSERT_TRUE(table) << report.error;
    EXPECT_EQ(found(*table, "a"), "b");
}

TEST(Texthash, SaysWhichFileIsMissing) {
    EXPECT_EQ(error_of_opening("texthash:/nonexistent/map"),
              "texthash:/nonexistent/map: open: No such file or directory");
    EXPECT_EQ(error_of_opening("texthash:/tmp"), "texthash:/tmp: read: Is a directory");
}

TEST(TableList, AsksInOrder) {
    TableList list;
    OpenReport report;
    ASSERT_TRUE(list.open("inline:{ a=1, b=2 }, inline:{a=3 c=4}\n static:{other x}", report))
        << report.error;
    const auto ask = [&](std::string_view key) { return list.find(key)->value_or("(none)"); };
    EXPECT_EQ(ask("a"), "1");
    EXPECT_EQ(ask("c"), "4");
    EXPECT_EQ(ask("d"), "other x");
}

TEST(TableList, StaysAsItWasWhenOpeningFails) {
    TableList list;
    OpenReport report;
    ASSERT_TRUE(list.open("inline:{ a=1 }", report));
    EXPECT_FALSE(list.open("inline:{ a=2 }, nothing", report));
    EXPECT_EQ(list.find("a")->value_or("(none)"), "1");
}

}  // namespace
}  // namespace posthaste
