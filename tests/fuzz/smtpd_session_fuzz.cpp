// A conversation with smtpd: the choices (a policy; where to cut), then what the client says. Cut
// or whole it means the same; every reply is one; every message can be handed on.
#include "ingress/smtpd/session_testing.h"
#include "tests/fuzz/fuzz.h"

using namespace posthaste;

namespace {

struct Outcome {
    std::string replies;
    std::vector<std::string> logged;
    std::vector<smtpd::StringWorld::Message> messages;
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

Outcome outcome_of(const std::vector<std::string_view>& pieces, uint8_t policy) {
    smtpd::Dialogue dialogue(settings_of(policy));
    dialogue.start();
    for (const std::string_view piece : pieces) dialogue.say(piece);
    // A line, its CR, and no more may wait.
    ASSERT(dialogue.kept().size() <= 513 || dialogue.world.closed);
    if (!dialogue.world.closed) dialogue.session->on_lost();
    std::erase_if(dialogue.world.logged,
                  [](const std::string& line) { return line.starts_with("improper command"); });
    return {dialogue.world.replies, dialogue.world.logged, dialogue.world.messages,
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view says = fuzz::text_of(data, size);
    const uint8_t policy = fuzz::take_choice(says);
    const uint8_t cuts = fuzz::take_choice(says);
    const Outcome whole = outcome_of({says}, policy);
    ASSERT(whole.closed);
    check_replies(whole.replies);
    for (const auto& message : whole.messages) check_message(message);
    for (const std::string& line : whole.logged) ASSERT(!fuzz::has_control(line));
    ASSERT(outcome_of(fuzz::cut(says, cuts), policy) == whole);
    return 0;
}
