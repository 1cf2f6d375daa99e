// A server's bytes: the choice (where to cut), then the stream. The same bytes mean the same
// replies.
#include <string>

#include "mail/smtp_reply.h"

#include "tests/fuzz/fuzz.h"

using namespace posthaste;

namespace {

std::string story_of(const std::vector<std::string_view>& pieces) {
    using State = SmtpReplyParser::State;
    SmtpReplyParser parser;
    SmtpReply reply;
    std::string story;
    for (std::string_view piece : pieces) {
        while (true) {
            const size_t before = piece.size();
            const State state = parser.consume(piece, reply);
            if (state == State::malformed) return story + "malformed";
            if (state == State::incomplete) break;
            ASSERT(piece.size() < before && parser.idle());
            ASSERT(reply.code >= 200 && reply.code <= 599);
            ASSERT(!fuzz::has_control(reply.text) && !fuzz::has_control(reply.dsn));
            ASSERT(reply.text.size() <= SmtpReplyParser::kReplyTextBytesMax);
            ASSERT(reply.lines.size() <= SmtpReplyParser::kReplyTextBytesMax);
            if (!reply.dsn.empty()) {
                ASSERT(reply.lines.find(reply.dsn) != std::string::npos ||
                       reply.lines.size() > SmtpReplyParser::kReplyTextBytesMax / 2);
                ASSERT(reply.dsn[0] - '0' == reply.code / 100);
            }
            story += std::to_string(reply.code) + reply.dsn + "|" + reply.text + "|" + reply.lines;
        }
        ASSERT(piece.empty());
    }
    return story + (parser.idle() ? "idle" : "waiting");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view bytes = fuzz::text_of(data, size);
    const uint8_t seed = fuzz::take_choice(bytes);
    ASSERT(story_of({bytes}) == story_of(fuzz::cut(bytes, seed)));
    return 0;
}
