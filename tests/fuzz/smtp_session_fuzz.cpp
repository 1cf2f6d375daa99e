// A conversation of ours as client: the choices (how we are set up; where to cut), then what the
// server says. Every job is settled or given back once, and a plain reading of both sides, made from
// the transcript alone, agrees on who has got the message. Cut or whole it means the same, as long
// as the server speaks when it is asked: what comes early is told from what comes late.
#include <algorithm>
#include <cstring>

#include "mail/data_scanner.h"
#include "mail/data_scanner_model.h"

#include "tests/fuzz/client_talk.h"
#include "tests/fuzz/line_mutator.h"

using namespace posthaste;

namespace {

constexpr std::string_view kLines[] = {
    "220 mx.example ESMTP\r\n",
    "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-8BITMIME\r\n250-DSN\r\n"
    "250-SMTPUTF8\r\n250 CHUNKING\r\n",
    "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 2000\r\n250 DSN\r\n",
    "250-mx.example\r\n250 8BITMIME\r\n",
    "250-mx.example\r\n250 CHUNKING\r\n",
    "250 mx.example\r\n",
    "250 2.1.0 Ok\r\n",
    "250 2.1.5 Ok\r\n",
    "354 End data with <CR><LF>.<CR><LF>\r\n",
    "250 2.0.0 Ok: queued as 4Zq8xW\r\n",
    "450 4.2.1 try again\r\n",
    "550 5.1.1 no such user\r\n",
    "552 5.2.3 too many recipients\r\n",
    "421 4.3.2 closing\r\n",
    "503 5.5.1 bad sequence\r\n",
    "554 5.5.1 no valid recipients\r\n",
    "502 what\r\n",
    "251 will forward\r\n",
    "250-more\r\n",
    "221 bye\r\n",
    "250 client.example\r\n",
    "xyz\r\n",
};

const std::vector<fuzz::Letter>& letters() {
    static const std::string kLong = [] {
        std::string out = "Subject: long\r\n\r\n";
        for (int i = 0; i < 40; ++i) out += std::string(70, 'l') + "\r\n";
        return out;
    }();
    static const std::vector<fuzz::Letter> kLetters = {
        {"s0@org.example",
         {{0, "a@dest.example", {}, kNotifyUnset}},
         "Subject: x\r\n\r\nhello\r\n.dot\r\n"},
        {"s1@org.example",
         {{0, "a@dest.example", {}, kNotifyUnset},
          {3, "b@dest.example", "rfc822;b+c@else.example", kNotifySuccess | kNotifyDelay},
          {4, "c@dest.example", "", kNotifyNever}},
         "\r\n.\r\n..\r\n",
         false,
         true},
        {"s2@org.example",
         {{0, "\xc3\xa4@dest.example", {}, kNotifyUnset}},
         "Subject: \xc3\xa4\r\n",
         true,
         true},
        {"s3@org.example",
         {{7, "a@dest.example", {}, kNotifyUnset}, {9, "b@dest.example", {}, kNotifyUnset}},
         kLong},
        {"s4@org.example", {{0, "a@dest.example", {}, kNotifyUnset}}, ""},
    };
    return kLetters;
}

smtp::SmtpConfig config_of(uint8_t choice) {
    smtp::SmtpConfig config;
    config.helo_name = config.myhostname = "client.example";
    config.line_bytes_max = (choice & 2) != 0 ? 20 : 0;
    config.never_send_ehlo = (choice & 4) != 0;
    return config;
}

// What the server's bytes are as replies, up to the one that ends the conversation.
std::vector<int> replies_in(std::string_view bytes) {
    SmtpReplyParser parser;
    SmtpReply reply;
    std::vector<int> out;
    while (parser.consume(bytes, reply) == SmtpReplyParser::State::complete) {
        out.push_back(reply.code);
        if (reply.code == 421) break;
    }
    return out;
}

// Reads what the client has said as a server would that gives these replies, and notes who was
// told that the message is taken.
class Server {
 public:
    Server(std::string_view said, const std::vector<int>& replies, bool unfolded)
        : said_(said), replies_(replies), unfolded_(unfolded) {}

    struct Delivery {
        std::string sender;
        std::string recipient;

        friend bool operator==(const Delivery&, const Delivery&) = default;
    };

    std::vector<Delivery> read() {
        while (!said_.empty()) read_command();
        return std::move(taken_);
    }

 private:
    int next_reply() { return at_ < replies_.size() ? replies_[at_++] : 0; }

    static bool is_yes(int code) { return code / 100 == 2; }

    std::string_view take(size_t size) {
        ASSERT(size <= said_.size());
        const std::string_view out = said_.substr(0, size);
        said_.remove_prefix(size);
        return out;
    }

    void read_command() {
        const size_t end = said_.find("\r\n");
        ASSERT(end != std::string_view::npos && end < 2000);
        const std::string_view line = take(end + 2).substr(0, end);
        ASSERT(!fuzz::has_control(line));
        const int code = next_reply();
        if (line.starts_with("EHLO ") || line.starts_with("HELO ") || line == "QUIT") return;
        if (line == "RSET") return forget();
        if (line.starts_with("MAIL FROM:<")) {
            forget();
            sender_ = line.substr(11, line.find('>') - 11);
            has_mail_ = is_yes(code);
        } else if (line.starts_with("RCPT TO:<")) {
            if (is_yes(code)) accepted_.emplace_back(line.substr(9, line.find('>') - 9));
        } else {
            ASSERT(line == "DATA");
            if (code / 100 == 3 && !said_.empty()) read_body();
        }
    }

    void read_body() {
        // The client may have died before it was through; then nobody hears the rest.
        data_model::Outcome body = data_model::scan(BareNewline::reject, said_);
        ASSERT(body.done && !body.bare_lf && !body.bare_cr);
        take(body.consumed);
        const int code = next_reply();
        if (accepted_.empty() || !has_mail_) return forget();
        if (unfolded_) ASSERT(body.stored == letter().content);
        deliver(code);
    }

    const fuzz::Letter& letter() const {
        for (const fuzz::Letter& each : letters()) {
            if (each.sender == sender_) return each;
        }
        ASSERT(false);
    }

    void deliver(int code) {
        for (const std::string& recipient : accepted_) {
            if (has_mail_ && code / 100 == 2) taken_.push_back({sender_, recipient});
        }
        forget();
    }

    void forget() {
        accepted_.clear();
        has_mail_ = false;
    }

    std::string_view said_;
    const std::vector<int>& replies_;
    const bool unfolded_;
    size_t at_ = 1;  // the greeting answers to nothing
    std::string sender_;
    bool has_mail_ = false;
    std::vector<std::string> accepted_;
    std::vector<Delivery> taken_;
};

struct Story {
    std::string text;
    bool out_of_step;
};

Story story_of(const std::vector<std::string_view>& pieces, uint8_t choice) {
    const smtp::SmtpConfig config = config_of(choice);
    fuzz::ClientTalk talk(config, true, letters());
    talk.never_taken = (choice & 8) != 0;
    std::string heard;
    for (const std::string_view piece : pieces) {
        talk.hear(piece);
        heard += piece;
    }
    talk.end();

    std::vector<Server::Delivery> sent;
    for (size_t i = 0; i < talk.jobs.size(); ++i) {
        const smtp::Job& job = *talk.jobs[i];
        for (size_t r = 0; r < job.recipients.size(); ++r) {
            if (job.recipients[r].settled && job.recipients[r].status.outcome == Outcome::sent)
                sent.push_back(
                    {std::string(job.wire.sender), std::string(job.wire.recipients[r].address)});
        }
    }
    if (talk.never_taken) {
        // What has not left can not have been taken, whatever the server says.
        ASSERT(sent.empty());
    } else {
        const auto replies = replies_in(heard);
        const auto taken = Server(talk.said, replies, config.line_bytes_max == 0).read();
        if (!talk.out_of_step) ASSERT(sent == taken);
        for (const Server::Delivery& delivery : sent)
            ASSERT(std::find(taken.begin(), taken.end(), delivery) != taken.end());
    }
    return {talk.story(), talk.out_of_step};
}

}  // namespace

POSTHASTE_LINE_MUTATOR(2, kLines)

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view bytes = fuzz::text_of(data, size);
    const uint8_t choice = fuzz::take_choice(bytes);
    const uint8_t cuts = fuzz::take_choice(bytes);
    const Story whole = story_of({bytes}, choice);
    const Story cut = story_of(fuzz::cut(bytes, cuts), choice);
    if (!whole.out_of_step && !cut.out_of_step) ASSERT(whole.text == cut.text);
    return 0;
}
