// mail/smtp_reply.h: reading the replies of a server, cut anywhere by TCP (RFC 5321 4.2).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace posthaste {

struct SmtpReply {
    uint16_t code = 0;              // 200..599
    std::string dsn;                // "5.1.1" when the text begins with an enhanced code of the same class
    std::string text;               // lines joined by a blank, codes removed but the enhanced one kept;
                                    // control bytes become '?'
    std::string lines;              // each line's text after "250-", one per '\n'; for EHLO
    bool is_positive() const noexcept { return code / 100 == 2 || code / 100 == 3; }
    bool is_transient() const noexcept { return code / 100 == 4; }
    bool is_permanent() const noexcept { return code / 100 == 5; }
};

// Feed bytes; take whole replies. Bounds: a line of kReplyLineBytesMax (the rest of a longer one is
// dropped), kReplyLinesMax lines; beyond, or with a malformed code, the parser reports malformed for good.
class SmtpReplyParser {
 public:
    static constexpr size_t kReplyLineBytesMax = 2048;
    static constexpr size_t kReplyLinesMax = 512;
    enum class State : uint8_t { incomplete, complete, malformed };

    // Consumes from the front of `bytes`, stops behind a complete reply. On complete, `reply` is filled.
    State consume(std::string_view& bytes, SmtpReply& reply);
    bool idle() const noexcept;     // between replies: nothing half read
    void reset();

 private:
    std::string line_;
    std::string text_;
    std::string lines_;
    size_t line_count_ = 0;
    uint16_t code_ = 0;
    bool malformed_ = false;
};

}  // namespace posthaste
