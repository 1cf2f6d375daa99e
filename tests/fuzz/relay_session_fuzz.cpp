// Our client talks to our server: the choices (the server's policy, the client's set-up, where each
// side's bytes are cut), then a message's body. Whatever it holds and however both streams are cut,
// the server gets the very same message, for those recipients whom the client then calls sent.
#include <cstdlib>

#include "mail/data_scanner_model.h"
#include "mail/line_folder.h"

#include "ingress/smtpd/session_testing.h"
#include "tests/fuzz/client_talk.h"

using namespace posthaste;

namespace {

constexpr std::string_view kPolicies[] = {
    "",
    "smtpd_forbid_bare_newline = reject\n",
    "smtpd_discard_ehlo_keywords = chunking\n",
    "smtpd_discard_ehlo_keywords = pipelining, chunking\n",
    "smtpd_discard_ehlo_keywords = pipelining\n",
    "smtpd_recipient_limit = 1\n",
    "message_size_limit = 60\n",
    "smtpd_discard_ehlo_keywords = size, chunking\nmessage_size_limit = 60\n",
};

const smtpd::SmtpdSettings& settings_of(size_t policy) {
    static const std::vector<smtpd::SmtpdSettings> kAll = [] {
        std::vector<smtpd::SmtpdSettings> out;
        for (const std::string_view text : kPolicies)
            out.push_back(smtpd::Dialogue::settings_with(text));
        return out;
    }();
    return kAll[policy % kAll.size()];
}

std::string normalized(std::string_view bytes) {
    BodyNormalizer lines;
    data_model::Collector sink;
    lines.consume(bytes, sink);
    lines.finish(sink);
    return sink.bytes;
}

std::string folded(std::string_view bytes, size_t line_bytes_max) {
    std::string out;
    LineFolder folder(line_bytes_max);
    folder.feed(bytes, [&](std::string_view piece) { out += piece; });
    return out;
}

class Relay {
 public:
    Relay(const smtp::SmtpConfig& config, const smtpd::SmtpdSettings& settings,
          const std::vector<fuzz::Letter>& letters, uint8_t cuts)
        : server(settings), client(config, false, letters), cuts_(cuts) {
        server.start();
    }

    void run() {
        // Each round one of the two hears something new, or all is said.
        while (heard_by_client_ < server.world.replies.size() ||
               heard_by_server_ < client.said.size()) {
            const std::string replies = server.world.replies.substr(heard_by_client_);
            heard_by_client_ += replies.size();
            for (const std::string_view piece : fuzz::cut(replies, cuts_)) client.hear(piece);
            const std::string said = client.said.substr(heard_by_server_);
            heard_by_server_ += said.size();
            for (const std::string_view piece : fuzz::cut(said, cuts_)) server.say(piece);
        }
        client.end();
    }

    smtpd::Dialogue server;
    fuzz::ClientTalk client;

 private:
    uint8_t cuts_;
    size_t heard_by_client_ = 0;
    size_t heard_by_server_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view bytes = fuzz::text_of(data, size);
    const uint8_t policy = fuzz::take_choice(bytes);
    const uint8_t setup = fuzz::take_choice(bytes);
    const uint8_t cuts = fuzz::take_choice(bytes);

    smtp::SmtpConfig config;
    config.helo_name = config.myhostname = "client.example";
    config.line_bytes_max = (setup & 2) != 0 ? 20 : 998;
    config.never_send_ehlo = (setup & 4) != 0;

    // example.com is the server's, other.example is nobody's there.
    const std::string body = normalized(bytes);
    const std::vector<fuzz::Letter> letters = {
        {"one@org.example",
         {{0, "a@example.com", {}, kNotifyUnset}, {1, "b@other.example", {}, kNotifyUnset}},
         body,
         false,
         true},
        {"two@org.example",
         {{0, "b@other.example", {}, kNotifyUnset},
          {1, "c@example.com", {}, kNotifyUnset},
          {2, "d@example.com", {}, kNotifyUnset}},
         body},
        {"three@org.example", {{5, "e@other.example", {}, kNotifyUnset}}, body},
        {"four@org.example", {{5, "f@example.com", {}, kNotifyUnset}}, "Subject: last\r\n"},
    };
    Relay relay(config, settings_of(policy), letters, cuts);
    relay.run();

    // What the server holds, in its own words.
    std::string held;
    for (const auto& message : relay.server.world.messages) {
        held += message.envelope.sender;
        for (const Recipient& recipient : message.envelope.recipients)
            held += " " + recipient.address;
        held += "\n" + message.content;
    }
    // What the client says that it has delivered.
    std::string sent;
    for (size_t i = 0; i < letters.size(); ++i) {
        ASSERT(relay.client.fates[i] == fuzz::ClientTalk::Fate::done);
        std::string recipients;
        const smtp::Job& job = *relay.client.jobs[i];
        for (size_t r = 0; r < job.recipients.size(); ++r) {
            if (job.recipients[r].status.outcome == Outcome::sent)
                recipients += " " + std::string(letters[i].recipients[r].address);
        }
        if (recipients.empty()) continue;
        sent += letters[i].sender + recipients + "\n" +
                folded(letters[i].content, config.line_bytes_max);
    }
    ASSERT(!relay.client.out_of_step);
    ASSERT(held == sent);
    return 0;
}
