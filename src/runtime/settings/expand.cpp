#include "runtime/settings/expand.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace posthaste {

namespace {

constexpr unsigned kDepthMax = 30;
constexpr size_t kTextMax = 256 * 1024;
// An expansion may be short and still take for ever: ${a?} with a = ${b}${b}, b = ${c}${c} …
constexpr unsigned kStepsMax = 20'000;

bool is_name_byte(char c) noexcept { return is_alnum(c) || c == '_'; }

// Transports' names may hold these; only ${…} can spell such a name.
bool is_braced_name_byte(char c) noexcept { return is_name_byte(c) || c == '-' || c == '.'; }

// `text` begins with '{' or '(': the position of its '}' or ')', or npos.
size_t matching_brace(std::string_view text) noexcept {
    const char opening = text[0];
    const char closing = opening == '(' ? ')' : '}';
    size_t open = 0;
    for (size_t at = 0; at < text.size(); ++at) {
        if (text[at] == opening) ++open;
        if (text[at] == closing && --open == 0) return at;
    }
    return std::string_view::npos;
}

bool all_digits(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

int sign(bool less, bool more) noexcept { return less ? -1 : (more ? 1 : 0); }

int compare_as_text_or_number(std::string_view a, std::string_view b) noexcept {
    if (all_digits(a) && all_digits(b)) {
        a.remove_prefix(std::min(a.find_first_not_of('0'), a.size()));
        b.remove_prefix(std::min(b.find_first_not_of('0'), b.size()));
        if (a.size() != b.size()) return sign(a.size() < b.size(), true);
    }
    const int order = a.compare(b);
    return sign(order<0, order> 0);
}

int compare_levels(std::string_view a, std::string_view b) {
    const auto left = split(a, ".");
    const auto right = split(b, ".");
    for (size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
        const int order = compare_as_text_or_number(i < left.size() ? left[i] : "0",
                                                    i < right.size() ? right[i] : "0");
        if (order != 0) return order;
    }
    return 0;
}

struct Operator {
    std::string_view sign;
    bool if_less, if_equal, if_more;
};

// Longest first: "<=" must not be read as "<".
constexpr std::array<Operator, 6> kOperators = {{
    {"==", false, true, false},
    {"!=", true, false, true},
    {"<=", true, true, false},
    {">=", false, true, true},
    {"<", true, false, false},
    {">", false, false, true},
}};

class Expander {
 public:
    explicit Expander(const RawLookup& lookup) : lookup_(lookup) {}

    std::string run(std::string_view text, unsigned depth) {
        std::string out;
        if (depth > kDepthMax) fail("names itself, or is nested too deeply");
        while (!text.empty() && fault_.empty()) {
            const size_t dollar = text.find('$');
            out += text.substr(0, dollar);
            if (dollar == std::string_view::npos) break;
            text.remove_prefix(dollar + 1);
            if (++steps_ > kStepsMax || out.size() > kTextMax)
                fail("grows too large when expanded");
            text.remove_prefix(one(text, out, depth));
        }
        return out;
    }

    std::string fault() && { return std::move(fault_); }

 private:
    void fail(std::string_view why) {
        if (fault_.empty()) fault_ = why;
    }

    // What follows a '$'; answers how many bytes that were.
    size_t one(std::string_view text, std::string& out, unsigned depth) {
        if (text.empty()) return fail("ends in a single \"$\"; write \"$$\" for a dollar sign"), 0;
        if (text[0] == '$') return out += '$', 1;
        if (text[0] == '{' || text[0] == '(') {
            const size_t end = matching_brace(text);
            if (end == std::string_view::npos) {
                return fail(text[0] == '{' ? "\"${\" without its \"}\""
                                           : "\"$(\" without its \")\""),
                       text.size();
            }
            braced(trimmed(text.substr(1, end - 1)), out, depth);
            return end + 1;
        }
        size_t length = 0;
        while (length < text.size() && is_name_byte(text[length])) ++length;
        if (length == 0) return fail("\"$\" without a name; write \"$$\" for a dollar sign"), 0;
        out += value_of(text.substr(0, length), depth);
        return length;
    }

    std::string value_of(std::string_view name, unsigned depth) {
        const auto raw = lookup_(name);
        return raw ? run(*raw, depth + 1) : std::string();
    }

    void braced(std::string_view text, std::string& out, unsigned depth) {
        if (!text.empty() && text[0] == '{') return comparison(text, out, depth);
        size_t length = 0;
        while (length < text.size() && is_braced_name_byte(text[length])) ++length;
        if (length == 0) return fail("\"${\" without a name");
        const auto name = text.substr(0, length);
        const auto rest = trimmed(text.substr(length));
        if (rest.empty()) {
            out += value_of(name, depth);
        } else if (rest[0] == '?' || rest[0] == ':') {
            choose(!value_of(name, depth).empty(), rest, out, depth);
        } else {
            fail("bad \"${" + std::string(text) + "}\"");
        }
    }

    // "?yes", ":no", "?{yes}:{no}", "?{yes}", ":{no}"
    void choose(bool condition, std::string_view text, std::string& out, unsigned depth) {
        const bool is_yes = text[0] == '?';
        text = trimmed(text.substr(1));
        if (text.empty() || text[0] != '{') {
            if (condition == is_yes) out += run(text, depth + 1);
            return;
        }
        const size_t end = matching_brace(text);
        if (end == std::string_view::npos) return fail("\"{\" without its \"}\"");
        const auto first = trimmed(text.substr(1, end - 1));
        const auto rest = trimmed(text.substr(end + 1));
        if (rest.empty()) {
            if (condition == is_yes) out += run(first, depth + 1);
            return;
        }
        if (!is_yes || rest[0] != ':')
            return fail("bad text after \"{" + std::string(first) + "}\"");
        if (condition) {
            out += run(first, depth + 1);
        } else {
            choose(false, rest, out, depth);
        }
    }

    void comparison(std::string_view text, std::string& out, unsigned depth) {
        const size_t left_end = matching_brace(text);
        if (left_end == std::string_view::npos) return fail("\"{\" without its \"}\"");
        const auto left = run(trimmed(text.substr(1, left_end - 1)), depth + 1);
        auto rest = trimmed(text.substr(left_end + 1));
        const auto op = std::find_if(
            kOperators.begin(), kOperators.end(),
            [&](const Operator& candidate) { return rest.starts_with(candidate.sign); });
        if (op == kOperators.end()) return fail("write one of == != < <= >= > after \"{…}\"");
        rest.remove_prefix(op->sign.size());
        const bool is_level = rest.starts_with("level");
        rest = trimmed(rest.substr(is_level ? 5 : 0));
        const size_t right_end =
            rest.empty() || rest[0] != '{' ? std::string_view::npos : matching_brace(rest);
        if (right_end == std::string_view::npos)
            return fail("the right side of a comparison must be in \"{}\"");
        const auto right = run(trimmed(rest.substr(1, right_end - 1)), depth + 1);
        rest = trimmed(rest.substr(right_end + 1));
        const int order =
            is_level ? compare_levels(left, right) : compare_as_text_or_number(left, right);
        const bool holds = order < 0 ? op->if_less : (order == 0 ? op->if_equal : op->if_more);
        if (rest.empty()) {
            if (holds) out += "bool:true";
        } else if (rest[0] == '?' || rest[0] == ':') {
            choose(holds, rest, out, depth);
        } else {
            fail("bad text after a comparison: \"" + std::string(rest) + "\"");
        }
    }

    const RawLookup& lookup_;
    std::string fault_;
    unsigned steps_ = 0;
};

}  // namespace

Expansion expand(std::string_view value, const RawLookup& lookup) {
    Expander expander(lookup);
    Expansion out;
    out.text = expander.run(value, 0);
    out.fault = std::move(expander).fault();
    return out;
}

void for_each_name(std::string_view value, const std::function<void(std::string_view)>& seen) {
    for (size_t at = value.find('$'); at != std::string_view::npos; at = value.find('$', at)) {
        auto rest = value.substr(++at);
        if (rest.starts_with('$')) {
            ++at;
            continue;
        }
        const bool braced = rest.starts_with('{') || rest.starts_with('(');
        rest = braced ? trimmed(rest.substr(1)) : rest;
        size_t length = 0;
        while (length < rest.size() &&
               (braced ? is_braced_name_byte(rest[length]) : is_name_byte(rest[length])))
            ++length;
        if (length > 0) seen(rest.substr(0, length));
    }
}

}  // namespace posthaste
