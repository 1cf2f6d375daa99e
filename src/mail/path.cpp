#include "mail/path.h"

#include "base/strings.h"

#include "mail/address.h"

namespace posthaste {
namespace {

// Behind the path: a blank outside of quotes and brackets, or the text's end. npos: something is
// not closed, or it holds a control.
size_t end_of_path(std::string_view text) noexcept {
    unsigned depth = 0;
    bool quoted = false;
    size_t at = 0;
    for (; at < text.size(); ++at) {
        const char c = text[at];
        if (is_blank(c) && depth == 0 && !quoted) break;
        if (c == '\\' && ++at == text.size()) return std::string_view::npos;
        if (is_control(text[at]) && !is_blank(text[at])) return std::string_view::npos;
        if (c == '"') quoted = !quoted;
        if (quoted) continue;
        if (c == '<') ++depth;
        if (c == '>' && depth > 0) --depth;
    }
    return quoted || depth > 0 ? std::string_view::npos : at;
}

// "@a,@b:" at the beginning; 0 when there is none. An address literal may hold a ':' of its own,
// but nobody ever routed through one.
size_t end_of_source_route(std::string_view text) noexcept {
    if (text.empty() || text[0] != '@') return 0;
    for (size_t at = 0; at < text.size(); ++at) {
        if (text[at] == ':') return at + 1;
        if (!is_alnum(text[at]) && text[at] != '@' && text[at] != '.' && text[at] != '-' &&
            text[at] != '_' && text[at] != ',')
            break;
    }
    return 0;
}

// The address in its words, RFC 822's way: comments and blanks may stand between them, brackets
// are nothing.
class PathReader {
 public:
    explicit PathReader(std::string_view text) : text_(text) {}

    bool read() {
        while (at_ < text_.size()) {
            if (!take_one()) return false;
        }
        return true;
    }

    // Without quotes.
    std::string_view local_part() const noexcept {
        return std::string_view(plain_).substr(0, last_at_);
    }

    bool has_domain() const noexcept { return last_at_ != std::string::npos; }

    std::string_view domain() const noexcept {
        return std::string_view(plain_).substr(last_at_ + 1);
    }

    // What is quoted is no domain.
    bool domain_is_quoted() const noexcept { return quoted_since_at_; }

    bool has_comment() const noexcept { return has_comment_; }

 private:
    bool take_one() {
        const char c = text_[at_];
        if (is_blank(c) || c == '<' || c == '>') {
            ++at_;
            in_atom_ = false;
            return true;
        }
        if (c == '(') return take_comment();
        if (c == '"') return take_quoted();
        if (c == '[') return take_literal();
        if (c == '\\' || is_atext(c)) return take_atom_character();
        if (c != '.' && c != '@' && c != ':') return false;
        if (c == '@') {
            last_at_ = plain_.size();
            quoted_since_at_ = false;
        }
        plain_ += c;
        ++at_;
        in_atom_ = after_word_ = false;
        return true;
    }

    // Two words stand side by side: no address, or two.
    bool begin_word() {
        if (after_word_) return false;
        after_word_ = true;
        return true;
    }

    bool take_atom_character() {
        if (!in_atom_ && !begin_word()) return false;
        in_atom_ = true;
        if (text_[at_] == '\\') {
            ++at_;
            quoted_since_at_ = true;
        }
        plain_ += text_[at_++];
        return true;
    }

    bool take_quoted() {
        if (!begin_word()) return false;
        in_atom_ = false;
        quoted_since_at_ = true;
        for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
            if (text_[at_] == '\\' && ++at_ == text_.size()) return false;
            if (is_control(text_[at_])) return false;
            plain_ += text_[at_];
        }
        return at_++ < text_.size();
    }

    bool take_literal() {
        const bool begins_domain = has_domain() && last_at_ + 1 == plain_.size();
        const size_t end = text_.find(']', at_);
        if (!begins_domain || end == std::string_view::npos || !begin_word()) return false;
        plain_ += text_.substr(at_, end + 1 - at_);
        at_ = end + 1;
        in_atom_ = false;
        return true;
    }

    bool take_comment() {
        has_comment_ = true;
        unsigned depth = 0;
        for (; at_ < text_.size(); ++at_) {
            if (text_[at_] == '\\') {
                ++at_;
            } else if (text_[at_] == '(') {
                ++depth;
            } else if (text_[at_] == ')' && --depth == 0) {
                ++at_;
                in_atom_ = false;
                return true;
            }
        }
        return false;
    }

    std::string_view text_;
    size_t at_ = 0;
    std::string plain_;
    size_t last_at_ = std::string::npos;
    bool in_atom_ = false;
    bool after_word_ = false;
    bool quoted_since_at_ = false;
    bool has_comment_ = false;
};

// Nearly every path: nothing to be understood.
bool is_plain(std::string_view text) noexcept {
    const size_t at = text.find('@');
    return at != std::string_view::npos && is_dot_string(text.substr(0, at)) &&
           is_envelope_domain(text.substr(at + 1));
}

bool read_address(std::string_view text, bool strict, std::string& out) {
    PathReader reader(text);
    if (!reader.read()) return false;
    const bool nobody = reader.has_domain() && reader.local_part().empty();
    if (strict && (nobody || reader.has_comment())) return false;
    if (!reader.has_domain()) {
        // Nothing at all, or "": the null address.
        if (!reader.local_part().empty()) append_local_part(out, reader.local_part());
        return true;
    }
    std::string_view domain = reader.domain();
    if (domain.size() > 1 && domain.back() == '.') domain.remove_suffix(1);
    if (reader.domain_is_quoted() || !is_envelope_domain(domain)) return false;
    append_local_part(out, reader.local_part());
    out += '@';
    out += domain;
    return true;
}

}  // namespace

std::optional<Path> parse_path(std::string_view text, PathRules rules) {
    while (!text.empty() && is_blank(text[0])) text.remove_prefix(1);
    const size_t end = end_of_path(text);
    if (end == 0 || end == std::string_view::npos) return std::nullopt;
    Path path;
    path.rest = text.substr(end);
    path.given = text.substr(0, end);
    const bool bracketed = end > 1 && path.given.front() == '<' && path.given.back() == '>';
    if (bracketed) path.given = path.given.substr(1, end - 2);
    if (rules.strict && !bracketed) return std::nullopt;

    std::string_view routed = path.given;
    const size_t route = end_of_source_route(routed);
    routed.remove_prefix(route);
    if (route > 0 && routed.empty()) return std::nullopt;
    if (is_plain(routed)) {
        path.address = routed;
    } else if (!read_address(routed, rules.strict, path.address)) {
        return std::nullopt;
    }
    if (!bracketed && path.address.empty()) return std::nullopt;
    if (path.address.size() > kAddressBytesMax) return std::nullopt;
    if (rules.utf8 ? !is_utf8(path.address) : !is_ascii(path.address)) return std::nullopt;
    return path;
}

}  // namespace posthaste
