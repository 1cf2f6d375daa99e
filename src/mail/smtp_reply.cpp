#include "mail/smtp_reply.h"

#include <algorithm>

#include "base/strings.h"

#include "mail/enhanced_status.h"

namespace posthaste {

SmtpReplyParser::State SmtpReplyParser::consume(std::string_view& bytes, SmtpReply& reply) {
    while (!malformed_ && !bytes.empty()) {
        const size_t newline = bytes.find('\n');
        const std::string_view piece = bytes.substr(0, newline);
        std::string_view line = piece;
        line_bytes_ += piece.size();
        if (line_bytes_ > kReplyLineBytesEndured) {
            malformed_ = true;
            break;
        }
        if (in_line_ || newline == std::string_view::npos) {
            line_.append(piece.substr(0, kReplyLineBytesMax - line_.size()));
            line = line_;
        }
        if (newline == std::string_view::npos) {
            in_line_ = true;
            bytes = {};
            break;
        }
        bytes.remove_prefix(newline + 1);
        bool last = false;
        malformed_ = !take_line(line.substr(0, kReplyLineBytesMax), last);
        line_.clear();
        line_bytes_ = 0;
        in_line_ = false;
        if (!malformed_ && last) {
            reply.code = code_;
            reply.text.assign(text_);
            reply.lines.assign(lines_);
            const bool same_class = !dsn_.empty() && dsn_[0] - '0' == code_ / 100;
            reply.dsn.assign(same_class ? dsn_ : std::string_view{});
            reset();
            return State::complete;
        }
    }
    return malformed_ ? State::malformed : State::incomplete;
}

bool SmtpReplyParser::take_line(std::string_view line, bool& last) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.size() < 3 || line[0] < '2' || line[0] > '5' || !is_digit(line[1]) ||
        !is_digit(line[2])) {
        return false;
    }
    if (line.size() > 3 && line[3] != ' ' && line[3] != '-') return false;
    if (++line_count_ > kReplyLinesMax) return false;
    code_ = static_cast<uint16_t>((line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'));
    last = line.size() == 3 || line[3] == ' ';
    const std::string_view words = line.substr(std::min<size_t>(line.size(), 4));
    if (last) dsn_.assign(enhanced_status_of(trimmed(words)));
    if (text_.size() + line.size() + 1 > kReplyTextBytesMax) return true;
    if (!text_.empty()) text_.push_back(' ');
    const size_t begin = text_.size();
    text_.append(line);
    std::replace_if(text_.begin() + static_cast<std::ptrdiff_t>(begin), text_.end(), is_control,
                    '?');
    lines_.append(text_, text_.size() - words.size());
    lines_.push_back('\n');
    return true;
}

bool SmtpReplyParser::idle() const noexcept { return !in_line_ && line_count_ == 0 && !malformed_; }

void SmtpReplyParser::reset() {
    line_.clear();
    text_.clear();
    lines_.clear();
    line_bytes_ = 0;
    line_count_ = 0;
    code_ = 0;
    dsn_.clear();
    in_line_ = false;
    malformed_ = false;
}

}  // namespace posthaste
