// tests/fuzz/client_talk.h: what stands for link, lane and job around smtp::ClientSession: collects
// what it says, gives it jobs when it can take them, and holds it to its promises.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/codec.h"

#include "egress/smtp/client_session.h"
#include "tests/fuzz/fuzz.h"

namespace posthaste::fuzz {

// What a job asks for; `content` outlives it.
struct Letter {
    std::string sender;
    std::vector<wire::JobRecipient> recipients;
    std::string_view content;
    bool smtputf8 = false;
    bool body_8bit = false;
};

inline std::unique_ptr<smtp::Job> make_job(const Letter& letter, uint64_t number) {
    auto job = std::make_unique<smtp::Job>();
    wire::DeliveryJob sent;
    sent.job = number;
    sent.id = 1'700'000'000'000'000 + number;
    sent.sender = letter.sender;
    sent.size_bytes = letter.content.size();
    sent.smtputf8 = letter.smtputf8;
    sent.body_8bit = letter.body_8bit;
    sent.envelope_id = "id+of=letter";
    sent.recipients = letter.recipients;
    wire::encode(sent, job->record);
    ASSERT(wire::decode(job->record, job->wire));
    // In two pieces, as it may lie in the arena.
    const size_t half = letter.content.size() / 2;
    job->content = {letter.content.substr(0, half), letter.content.substr(half)};
    job->recipients.resize(letter.recipients.size());
    return job;
}

class ClientTalk final : private smtp::ClientSession::Line {
 public:
    ClientTalk(const smtp::SmtpConfig& config, bool detect_loop, const std::vector<Letter>& letters)
        : session(config, "mx[192.0.2.1]:25", "dest.example", detect_loop, *this) {
        for (const Letter& letter : letters) jobs.push_back(make_job(letter, jobs.size() + 1));
        fates.resize(jobs.size());
        session.start();
    }

    void hear(std::string_view bytes) {
        if (!dead) ASSERT(session.on_bytes(bytes) == bytes.size());
    }

    // Says good-bye if there is nothing left to do, and then the connection is gone.
    void end() {
        if (!dead && session.idle()) session.quit();
        if (!dead) session.on_lost(false);
        ASSERT(dead);
        for (size_t i = 0; i < jobs.size(); ++i) {
            ASSERT((i < begun) == (fates[i] != Fate::waits));
            if (fates[i] == Fate::done) ASSERT(jobs[i]->all_settled());
            for (const smtp::Job::Recipient& recipient : jobs[i]->recipients) {
                if (fates[i] != Fate::done) ASSERT(!recipient.settled);
                if (recipient.settled) check_status(recipient.status);
            }
        }
    }

    // Everything that came of it.
    std::string story() const {
        std::string out = said + "\n--\n" + why.dsn + why.text + "\n";
        for (size_t i = 0; i < jobs.size(); ++i) {
            out += "job " + std::to_string(i) + ": " + std::to_string(static_cast<int>(fates[i]));
            if (jobs[i]->hop_failed) out += " hop failed";
            for (const smtp::Job::Recipient& recipient : jobs[i]->recipients) {
                out += std::string("\n  ") + (recipient.settled ? "settled " : "open ") +
                       name_of(recipient.status.outcome) + " " + recipient.status.dsn + " " +
                       recipient.status.text;
            }
            out += "\n";
        }
        return out;
    }

    enum class Fate : uint8_t { waits, begun, done, returned };

    std::string said;
    bool never_taken = false;  // nothing of what we say leaves this machine
    std::vector<std::unique_ptr<smtp::Job>> jobs;
    std::vector<Fate> fates;
    size_t begun = 0;
    bool dead = false;
    bool out_of_step = false;  // the server spoke unasked, or answered what was not asked
    DeliveryStatus why;
    smtp::ClientSession session;

 private:
    static void check_status(const DeliveryStatus& status) {
        ASSERT(!status.dsn.empty() && status.dsn.size() <= 16 && !status.text.empty());
        ASSERT(!has_control(status.dsn) && !has_control(status.text));
        ASSERT(status.dsn[0] == (status.outcome == Outcome::sent      ? '2'
                                 : status.outcome == Outcome::bounced ? '5'
                                                                      : '4'));
    }

    void settle(smtp::Job& job, Fate fate) {
        const size_t number = job.wire.job - 1;
        ASSERT(fates[number] == Fate::begun);
        fates[number] = fate;
    }

    // smtp::ClientSession::Line
    void send(std::string_view text) override {
        ASSERT(!dead);
        said += text;
    }

    void send_borrowed(std::string_view bytes) override { send(bytes); }

    uint64_t output_mark() const override { return said.size(); }

    bool is_taken(uint64_t mark) const override { return !never_taken && mark <= said.size(); }

    void wait_at_most(int64_t) override {}

    void on_ready() override {
        ASSERT(!dead);
        while (begun < jobs.size() && session.can_begin()) {
            fates[begun] = Fate::begun;
            session.begin(*jobs[begun++]);
        }
    }

    void on_note(std::string_view) override {}

    void on_warning(std::string_view text) override {
        ASSERT(!has_control(text));
        out_of_step = true;
    }

    void on_job_done(smtp::Job& job) override { settle(job, Fate::done); }

    void on_job_returned(smtp::Job& job) override { settle(job, Fate::returned); }

    void on_dead(const DeliveryStatus& refusal) override {
        ASSERT(!dead);
        dead = true;
        why = refusal;
    }
};

}  // namespace posthaste::fuzz
