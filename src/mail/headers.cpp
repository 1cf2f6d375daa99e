#include "mail/headers.h"

#include "base/strings.h"

namespace posthaste {
namespace {

// RFC 5322 3.6.8 ftext: printable ASCII without ':'.
constexpr bool is_name_char(char c) noexcept { return c > ' ' && c < 0x7f && c != ':'; }

struct Line {
    std::string_view text;  // without its line end
    size_t end = 0;         // where the next one begins
};

// The line that begins at `at`; false when its LF is not there.
bool line_at(std::string_view message, size_t at, Line& line) noexcept {
    const size_t newline = message.find('\n', at);
    if (newline == std::string_view::npos) return false;
    line.end = newline + 1;
    line.text = message.substr(at, newline - at);
    if (!line.text.empty() && line.text.back() == '\r') line.text.remove_suffix(1);
    return true;
}

// Length of the field name that begins the line, 0 when it is no header. RFC 5322 4.5 lets old mail
// have blanks before the ':'.
size_t name_length(std::string_view line, size_t& colon) noexcept {
    size_t size = 0;
    while (size < line.size() && is_name_char(line[size])) ++size;
    colon = size;
    while (colon < line.size() && is_blank(line[colon])) ++colon;
    return colon < line.size() && line[colon] == ':' ? size : 0;
}

// Takes a value apart into characters, with quoted strings and domain literals as one character
// each and comments as blanks.
class AddressListReader {
 public:
    explicit AddressListReader(std::string_view value) noexcept : value_(value) {}

    enum class Token : uint8_t { end, blank, text, special, broken };

    // What stands at begin..end: text is a quoted string, a domain literal or one other character.
    Token next() noexcept {
        begin_ = end_;
        if (begin_ == value_.size()) return Token::end;
        const char c = value_[end_++];
        switch (c) {
            case ' ':
            case '\t':
            case '\r':
            case '\n':
                return Token::blank;
            case '(':
                return skip_comment();
            case '"':
                return skip_until('"', Token::text);
            case '[':
                return skip_until(']', Token::text);
            case '<':
            case '>':
            case ',':
            case ';':
            case ':':
                return Token::special;
            case ')':
            case ']':
            case '\\':
                return Token::broken;
            default:
                return is_control(c) ? Token::broken : Token::text;
        }
    }

    size_t begin() const noexcept { return begin_; }

    size_t end() const noexcept { return end_; }

    char character() const noexcept { return value_[begin_]; }

 private:
    Token skip_until(char closing, Token token) noexcept {
        while (end_ < value_.size()) {
            const char c = value_[end_++];
            if (c == closing) return token;
            if (c == '\\' && end_ < value_.size()) ++end_;
        }
        return Token::broken;
    }

    // Comments nest; counted, not recursed into.
    Token skip_comment() noexcept {
        size_t depth = 1;
        while (end_ < value_.size()) {
            const char c = value_[end_++];
            if (c == '\\' && end_ < value_.size()) ++end_;
            if (c == '(') ++depth;
            if (c == ')' && --depth == 0) return Token::blank;
        }
        return Token::broken;
    }

    std::string_view value_;
    size_t begin_ = 0;
    size_t end_ = 0;
};

// One run of text (an address or a display name) while it is read. RFC 5322 4.4 lets old mail have
// blanks and comments beside '@' and '.'; such an address, or one with a folded line inside its
// quotes, could not be handed on as it stands and counts as words.
struct Words {
    size_t begin = 0;
    size_t end = 0;  // 0 = nothing yet: no text ends at 0
    size_t at_signs = 0;
    bool many = false;
    bool gap = false;  // a blank or comment followed
    char first = '\0';
    char last = '\0';

    bool empty() const noexcept { return end == 0; }

    void add(const AddressListReader& reader, std::string_view value) noexcept {
        if (empty()) {
            begin = reader.begin();
            first = reader.character();
        } else if (gap) {
            many = true;
        }
        for (size_t at = reader.begin(); at < reader.end(); ++at) {
            if (is_control(value[at])) many = true;
        }
        end = reader.end();
        last = reader.character();
        if (last == '@') ++at_signs;
        gap = false;
    }

    bool is_address() const noexcept {
        return !empty() && !many && at_signs <= 1 && first != '@' && last != '@';
    }
};

}  // namespace

Field field_named(std::string_view name) noexcept {
    const auto is = [name](std::string_view known) { return equals_ignoring_case(name, known); };
    switch (name.size()) {
        case 2:
            if (is("to")) return Field::to;
            if (is("cc")) return Field::cc;
            break;
        case 3:
            if (is("bcc")) return Field::bcc;
            break;
        case 4:
            if (is("from")) return Field::from;
            if (is("date")) return Field::date;
            break;
        case 6:
            if (is("sender")) return Field::sender;
            break;
        case 7:
            if (is("subject")) return Field::subject;
            break;
        case 8:
            if (is("received")) return Field::received;
            if (is("reply-to")) return Field::reply_to;
            break;
        case 9:
            if (is("resent-to")) return Field::resent_to;
            if (is("resent-cc")) return Field::resent_cc;
            break;
        case 10:
            if (is("message-id")) return Field::message_id;
            if (is("resent-bcc")) return Field::resent_bcc;
            break;
        case 11:
            if (is("return-path")) return Field::return_path;
            if (is("resent-from")) return Field::resent_from;
            if (is("resent-date")) return Field::resent_date;
            break;
        case 12:
            if (is("content-type")) return Field::content_type;
            if (is("delivered-to")) return Field::delivered_to;
            if (is("mime-version")) return Field::mime_version;
            break;
        case 14:
            if (is("content-length")) return Field::content_length;
            break;
        case 17:
            if (is("resent-message-id")) return Field::resent_message_id;
            break;
        case 25:
            if (is("content-transfer-encoding")) return Field::content_transfer_encoding;
            break;
        default:
            break;
    }
    return Field::other;
}

void parse_headers(std::string_view message, size_t fields_max, HeaderSection& out) {
    out.fields.clear();
    out.has_blank_line = false;
    out.truncated = false;
    out.received_count = 0;
    size_t at = 0;
    Line line;
    while (true) {
        if (!line_at(message, at, line)) {
            out.truncated = true;
            break;
        }
        if (line.text.empty()) {
            out.has_blank_line = true;
            break;
        }
        if (is_blank(line.text[0]) && !out.fields.empty()) {
            HeaderField& field = out.fields.back();
            const char* const value_end = line.text.data() + line.text.size();
            field.value = {field.value.data(), static_cast<size_t>(value_end - field.value.data())};
            field.whole = {field.whole.data(), field.whole.size() + (line.end - at)};
            at = line.end;
            continue;
        }
        size_t colon = 0;
        const size_t name_bytes = name_length(line.text, colon);
        if (name_bytes == 0 || out.fields.size() >= fields_max) break;
        HeaderField& field = out.fields.emplace_back();
        field.name = line.text.substr(0, name_bytes);
        field.value = line.text.substr(colon + 1);
        if (!field.value.empty() && is_blank(field.value[0])) field.value.remove_prefix(1);
        field.whole = message.substr(at, line.end - at);
        field.field = field_named(field.name);
        if (field.field == Field::received) ++out.received_count;
        at = line.end;
    }
    out.header_bytes = at;
    out.body_offset = out.has_blank_line ? line.end : at;
}

//   value   = [ element *( "," element ) ]
//   element = nothing | address | words "<" [route] address ">" | words ":" elements ";"
bool addresses_in(std::string_view value, size_t addresses_max,
                  std::vector<std::string_view>& out) {
    using Token = AddressListReader::Token;
    out.clear();
    AddressListReader reader(value);
    Words words;  // outside brackets: a display name, a group's name or an address
    Words route;  // inside brackets
    bool in_brackets = false;
    bool had_brackets = false;  // this element has its address
    bool in_group = false;

    const auto keep = [&](const Words& found) {
        if (!found.is_address() || out.size() >= addresses_max) return false;
        out.push_back(value.substr(found.begin, found.end - found.begin));
        return true;
    };
    const auto end_element = [&] {
        const bool good = had_brackets || words.empty() || keep(words);
        words = Words{};
        had_brackets = false;
        return good;
    };

    while (true) {
        const Token token = reader.next();
        if (token == Token::broken) return false;
        if (token == Token::blank) {
            (in_brackets ? route : words).gap = true;
        } else if (token == Token::text) {
            if (in_brackets) {
                route.add(reader, value);
            } else if (had_brackets) {
                return false;  // "<a@b> c": nobody can say which is meant
            } else {
                words.add(reader, value);
            }
        } else if (token == Token::end) {
            return !in_brackets && !in_group && end_element();
        } else if (in_brackets) {
            switch (reader.character()) {
                case '>':
                    if (!route.empty() && !keep(route)) return false;
                    in_brackets = false;
                    had_brackets = true;
                    break;
                case ',':  // between the hops of a source route, which end with ':'
                case ':':
                    if (route.empty() || value[route.begin] != '@') return false;
                    if (reader.character() == ':') route = Words{};
                    break;
                default:
                    return false;
            }
        } else {
            switch (reader.character()) {
                case '<':
                    if (had_brackets) return false;
                    route = Words{};
                    in_brackets = true;
                    break;
                case ',':
                    if (!end_element()) return false;
                    break;
                case ':':
                    if (in_group || had_brackets || words.empty()) return false;
                    in_group = true;
                    words = Words{};
                    break;
                case ';':
                    if (!in_group || !end_element()) return false;
                    in_group = false;
                    break;
                default:
                    return false;
            }
        }
    }
}

}  // namespace posthaste
