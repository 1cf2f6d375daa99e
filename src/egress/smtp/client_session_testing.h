// egress/smtp/client_session_testing.h: what stands around a ClientSession in its unit tests. Header
// only, for *_test.cpp.
#pragma once

#include <algorithm>
#include <deque>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "base/codec.h"

#include "egress/smtp/client_session.h"

namespace posthaste::smtp {

inline const std::string kBody = "Subject: x\r\n\r\nhello\r\n.dot\r\n";

inline std::unique_ptr<Job> make_job(const std::vector<std::string>& recipients,
                                     std::string_view content = kBody) {
    auto job = std::make_unique<Job>();
    wire::DeliveryJob sent;
    sent.id = 1'700'000'000'000'000;
    sent.sender = "s@example.org";
    sent.size_bytes = content.size();
    for (uint32_t i = 0; i < recipients.size(); ++i)
        sent.recipients.push_back({i, recipients[i], {}, 0});
    wire::encode(sent, job->record);
    EXPECT_TRUE(wire::decode(job->record, job->wire));
    job->content = {content};
    job->recipients.resize(recipients.size());
    return job;
}

// Stands for the link: collects what is said, feeds jobs as they fit.
class Talk : public ClientSession::Line {
 public:
    explicit Talk(SmtpConfig config = {}, bool detect_loop = true)
        : config_(std::move(config)),
          session(config_, "mx[192.0.2.1]", "dest", detect_loop, *this) {
        config_.helo_name = "client.test";
        config_.myhostname = "client.test";
        config_.data_xfer_timeout_us = 1;
        session.start();
    }

    void send(std::string_view text) override {
        said += text;
        handed += text.size();
    }

    void send_borrowed(std::string_view bytes) override { send(bytes); }

    uint64_t output_mark() const override { return handed; }

    bool is_taken(uint64_t mark) const override { return mark <= std::min(handed, taken_at_most); }

    void wait_at_most(int64_t) override { ++armed; }

    void on_ready() override {
        while (!jobs.empty() && session.can_begin()) {
            Job* job = jobs.front();
            jobs.pop_front();
            session.begin(*job);
        }
    }

    void on_job_done(Job& job) override { done.push_back(&job); }

    void on_job_returned(Job& job) override { returned.push_back(&job); }

    void on_note(std::string_view text) override { notes.emplace_back(text); }

    void on_warning(std::string_view text) override { warnings.emplace_back(text); }

    void on_dead(const DeliveryStatus& refusal) override {
        dead = true;
        why = refusal;
    }

    // What the client says in answer to these bytes.
    std::string hears(std::string_view bytes) {
        said.clear();
        session.on_bytes(bytes);
        return said;
    }

 private:
    SmtpConfig config_;

 public:
    std::string said;
    uint64_t handed = 0;
    uint64_t taken_at_most = UINT64_MAX;
    int armed = 0;
    std::deque<Job*> jobs;
    std::vector<Job*> done;
    std::vector<Job*> returned;
    std::vector<std::string> notes;
    std::vector<std::string> warnings;
    bool dead = false;
    DeliveryStatus why;
    ClientSession session;
};

inline constexpr std::string_view kPipelining = "250-mx\r\n250-PIPELINING\r\n250 SIZE 10000\r\n";

}  // namespace posthaste::smtp
