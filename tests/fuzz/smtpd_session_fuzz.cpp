// A conversation with smtpd: the choices (a policy and who asks; where to cut), then what the client
// says. Cut or whole, the store quick or slow, it means the same; every reply is one; every message
// can be handed on.
#include "ingress/smtpd/session_testing.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/line_mutator.h"

using namespace posthaste;

namespace {

constexpr std::string_view kLines[] = {
    "EHLO client.example\r\n",
    "HELO client.example\r\n",
    "MAIL FROM:<a@b.example>\r\n",
    "MAIL FROM:<> SIZE=30 BODY=8BITMIME RET=HDRS ENVID=x+2By\r\n",
    "MAIL FROM:<\xc3\xa4@b.example> SMTPUTF8\r\n",
    "RCPT TO:<c@example.com>\r\n",
    "RCPT TO:<d@example.com> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;d@example.com\r\n",
    "RCPT TO:<x@other.example>\r\n",
    "DATA\r\n",
    "Subject: x\r\n",
    "\r\n",
    ".\r\n",
    ".\n",
    "..\r\n",
    "a\rb\r\n",
    "BDAT 5\r\nabc\r\n",
    "BDAT 3 LAST\r\nx\r\n",
    "BDAT 0 LAST\r\n",
    "RSET\r\n",
    "NOOP\r\n",
    "QUIT\r\n",
    "STARTTLS\r\n",
    "VRFY <c@example.com>\r\n",
    "AUTH PLAIN\r\n",
    "GET / HTTP/1.0\r\n",
    "NOOP 0123456789012345678901234567890123456789012345678901234567890123456789\r\n",
};

struct Outcome {
    std::string replies;
    std::vector<std::string> logged;
    std::vector<std::string> messages;  // envelope and content
    bool closed;

    friend bool operator==(const Outcome&, const Outcome&) = default;
};

// Whether the client waited is the one thing that cuts do tell: not forbidden here, and not
// compared.
constexpr std::string_view kPolicies[] = {
    "",
    "smtpd_forbid_bare_newline = reject\n",
    "smtpd_forbid_bare_newline = no\n",
    "smtpd_helo_required = yes\nsmtpd_discard_ehlo_keywords = chunking, dsn, smtputf8\n",
    "message_size_limit = 40\nsmtpd_recipient_limit = 2\n",
    "smtpd_hard_error_limit = 3\nsmtpd_junk_command_limit = 2\nsmtpd_soft_error_limit = 1\n",
};

const smtpd::SmtpdSettings& settings_of(uint8_t choice) {
    static const std::vector<smtpd::SmtpdSettings> all = [] {
        std::vector<smtpd::SmtpdSettings> out;
        for (const std::string_view policy : kPolicies) {
            out.push_back(smtpd::Dialogue::settings_with(
                "smtpd_forbid_unauth_pipelining = no\nline_length_limit = 512\n" +
                std::string(policy)));
        }
        return out;
    }();
    return all[choice % std::size(kPolicies)];
}

void check_message(const smtpd::StringWorld::Message& message) {
    ASSERT(envelope_fits(message.envelope));
    ASSERT(message.envelope.size_bytes == message.content.size());
    const std::string_view content = message.content;
    ASSERT(content.empty() || content.ends_with("\r\n"));
    for (size_t at = 0; (at = content.find_first_of("\r\n", at)) != std::string_view::npos;
         at += 2) {
        ASSERT(content.substr(at, 2) == "\r\n");
    }
}

// A digit says no more than the policy; other characters have more to say.
struct Setup {
    explicit Setup(uint8_t choice)
        : policy(choice % std::size(kPolicies)),
          is_friend((choice / std::size(kPolicies) & 1) != 0),
          is_refused((choice / std::size(kPolicies) & 2) != 0),
          is_store_slow((choice / std::size(kPolicies) & 4) != 0) {}

    uint8_t policy;
    bool is_friend;      // a client in mynetworks
    bool is_refused;     // the store takes nothing
    bool is_store_slow;  // answers when the next piece has come
};

Outcome outcome_of(const std::vector<std::string_view>& pieces, const Setup& setup) {
    const uint16_t answer = setup.is_refused ? 451 : 250;
    smtpd::Dialogue dialogue(settings_of(setup.policy), setup.is_friend ? "10.0.0.1" : "192.0.2.1");
    dialogue.start();
    for (const std::string_view piece : pieces) {
        dialogue.answer_code = setup.is_store_slow ? 0 : answer;
        dialogue.say(piece);
        if (!setup.is_store_slow) {
            // A line, its CR, and no more may wait.
            ASSERT(dialogue.kept().size() <= 513 || dialogue.world.closed);
        } else if (dialogue.world.waits_for_answer) {
            dialogue.answer_code = answer;
            dialogue.say("");
        }
    }
    if (!dialogue.world.closed) dialogue.session->on_lost();
    std::erase_if(dialogue.world.logged,
                  [](const std::string& line) { return line.starts_with("improper command"); });
    std::vector<std::string> messages;
    for (const auto& message : dialogue.world.messages) {
        check_message(message);
        encode_envelope(message.envelope, messages.emplace_back());
        messages.back() += message.content;
    }
    return {dialogue.world.replies, dialogue.world.logged, std::move(messages),
            dialogue.world.closed};
}

void check_replies(std::string_view replies) {
    while (!replies.empty()) {
        const size_t end = replies.find("\r\n");
        ASSERT(end != std::string_view::npos && end >= 4);
        const std::string_view line = replies.substr(0, end);
        ASSERT(line[0] >= '2' && line[0] <= '5' && line[3] == (line[3] == '-' ? '-' : ' '));
        ASSERT(!fuzz::has_control(line));
        replies.remove_prefix(end + 2);
    }
}

}  // namespace

POSTHASTE_LINE_MUTATOR(2, kLines)

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view says = fuzz::text_of(data, size);
    Setup setup(fuzz::take_choice(says));
    const uint8_t cuts = fuzz::take_choice(says);
    const Outcome whole = outcome_of({says}, setup);
    ASSERT(whole.closed);
    check_replies(whole.replies);
    for (const std::string& line : whole.logged) ASSERT(!fuzz::has_control(line));
    ASSERT(outcome_of(fuzz::cut(says, cuts), setup) == whole);
    setup.is_store_slow = false;
    ASSERT(outcome_of({says}, setup) == whole);
    return 0;
}
