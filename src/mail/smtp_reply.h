// mail/smtp_reply.h: reading the replies of a server, cut anywhere by TCP (RFC 5321 4.2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace posthaste {

struct SmtpReply {
    uint16_t code = 0;  // 200..599
    std::string dsn;    // "5.1.1" when the last line has an enhanced code of the same class
    std::string text;   // for logs: the lines with their codes, joined by a blank; control bytes
                        // become '?'
    std::string lines;  // each line's text after "250-", one per '\n'; for EHLO

    // A yes. (3yz is none: it asks for more, and means something behind DATA alone.)
    bool is_completion() const noexcept { return code / 100 == 2; }

    bool is_positive() const noexcept { return code / 100 == 2 || code / 100 == 3; }

    bool is_transient() const noexcept { return code / 100 == 4; }

    bool is_permanent() const noexcept { return code / 100 == 5; }
};

// Feed bytes; take whole replies. The same bytes mean the same replies however they are cut.
//
// A line ends with LF; a CR before it is dropped. Its form is "DDD", "DDD text" or "DDD-text", the
// first digit 2 to 5; "DDD-" says that another line follows. When the lines of one reply disagree,
// the code of the last counts, as Postfix has it.
//
// Bounds: a line of kReplyLineBytesMax (the rest of a longer one is dropped, up to
// kReplyLineBytesEndured), kReplyLinesMax lines, texts of kReplyTextBytesMax (further lines count
// only for their code). Too many lines, one without end or a malformed code: the parser reports
// malformed until reset(), and consumes nothing more.
class SmtpReplyParser {
 public:
    static constexpr size_t kReplyLineBytesMax = 2048;
    static constexpr size_t kReplyLineBytesEndured = 64 * 1024;
    static constexpr size_t kReplyLinesMax = 512;
    static constexpr size_t kReplyTextBytesMax = 64 * 1024;
    enum class State : uint8_t { incomplete, complete, malformed };

    // Consumes from the front of `bytes`, stops behind a complete reply. On complete, `reply` is
    // filled; keep one SmtpReply and nothing is allocated for ordinary replies.
    State consume(std::string_view& bytes, SmtpReply& reply);
    bool idle() const noexcept;  // between replies: nothing half read
    void reset();

 private:
    // Takes one line without its LF; false when it is malformed. `last` says whether it ends the
    // reply.
    bool take_line(std::string_view line, bool& last);

    std::string line_;  // a line whose end has not arrived, cut at kReplyLineBytesMax
    std::string text_;
    std::string lines_;
    size_t line_bytes_ = 0;  // of that line, what was dropped included
    size_t line_count_ = 0;
    uint16_t code_ = 0;
    std::string dsn_;       // the last line's, of whatever class
    bool in_line_ = false;  // bytes of a line have been seen, even if line_ keeps none of them
    bool malformed_ = false;
};

}  // namespace posthaste
