// egress/smtp/client_session_testing.h: what stands around a ClientSession in its unit tests. Header
// only, for *_test.cpp.
#pragma once

#include <algorithm>
#include <deque>
#include <gtest/gtest.h>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/codec.h"

#include "egress/smtp/client_session.h"

namespace posthaste::smtp {

inline const std::string kBody = "Subject: x\r\n\r\nhello\r\n.dot\r\n";

inline std::unique_ptr<Job> make_job_for(std::vector<wire::JobRecipient> recipients,
                                         std::string_view content = kBody) {
    auto job = std::make_unique<Job>();
    wire::DeliveryJob sent;
    sent.id = 1'700'000'000'000'000;
    sent.sender = "s@example.org";
    sent.size_bytes = content.size();
    sent.recipients = std::move(recipients);
    wire::encode(sent, job->record);
    EXPECT_TRUE(wire::decode(job->record, job->wire));
    job->content = {content};
    job->recipients.resize(sent.recipients.size());
    return job;
}

inline std::unique_ptr<Job> make_job(const std::vector<std::string>& addresses,
                                     std::string_view content = kBody) {
    std::vector<wire::JobRecipient> recipients;
    for (uint32_t i = 0; i < addresses.size(); ++i)
        recipients.push_back({i, addresses[i], {}, kNotifyUnset});
    return make_job_for(std::move(recipients), content);
}

inline constexpr std::string_view kPipelining = "250-mx\r\n250-PIPELINING\r\n250 SIZE 10000\r\n";

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

    // Greets with the offers of a server; what the client says to it. It has these jobs then.
    std::string greet(std::initializer_list<Job*> with, std::string_view offers = kPipelining) {
        jobs.assign(with);
        hears("220 mx\r\n");
        return hears(offers);
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

}  // namespace posthaste::smtp
