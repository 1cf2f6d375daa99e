// tests/simulation/smtp/lane_testing.h: what stands around a Lane in its tests: servers with
// manners of their own, and the service's side of it.
#pragma once

#include <functional>
#include <gtest/gtest.h>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/codec.h"
#include "base/strings.h"

#include "egress/smtp/lane.h"
#include "simulation/sim_loop.h"
#include "simulation/sim_world.h"

namespace posthaste::simulation {

// What a server says, and when. Empty: nothing.
struct Manners {
    size_t takes = SIZE_MAX;  // connections at a time; it refuses those beyond
    std::string refusal = "421 4.7.0 too many connections\r\n";
    std::string greeting = "220 mx ESMTP\r\n";
    std::string hello = "250-mx\r\n250 PIPELINING\r\n";
    std::string mail = "250 2.1.0 Ok\r\n";
    std::string rcpt = "250 2.1.5 Ok\r\n";
    std::string end = "250 2.0.0 taken\r\n";
    std::string bye = "221 2.0.0 bye\r\n";
    int64_t end_delay_us = 0;
    int64_t bye_delay_us = 0;
    bool drops_at_mail = false;  // hangs up instead of answering MAIL
    size_t reads_of_message =
        SIZE_MAX;  // then it reads no more, and says `end` if that is a refusal
    bool refuses_and_reads_on = false;  // … or refuses it there, and goes on reading
};

class MannersServer {
 public:
    MannersServer(SimWorld& world, const Endpoint& endpoint)
        : world_(world),
          loop_(world.make_loop("server " + endpoint.ip.text())),
          accepted_(runner_of<&MannersServer::on_accept, MannersServer>(), this),
          listener_(world.network().listen(endpoint)) {
        loop_.accept(accepted_, listener_);
    }

    ~MannersServer() { world_.kill(loop_); }

    // Whoever stopped reading goes on.
    void read_on() {
        for (const auto& visit : visits_) visit->read_on();
    }

    Manners manners;
    size_t visits = 0;  // that were taken
    size_t open = 0;    // those that it has not closed
    size_t most_open = 0;
    size_t refused = 0;
    std::vector<std::string> messages;  // each as it came, dots and all
    std::string unfinished;             // of a message whose end has not come

 private:
    class Visit final : private Connection::Handler {
     public:
        Visit(MannersServer& server, Socket socket)
            : server_(server),
              connection_(server.loop_, socket, static_cast<Connection::Handler&>(*this)),
              later_(timer_calls<&Visit::on_later, Visit>(), this) {
            if (server_.open >= server_.manners.takes) {
                ++server_.refused;
                connection_.send(server_.manners.refusal);
                connection_.start();
                connection_.close();
                return;
            }
            counted_ = true;
            ++server_.visits;
            server_.most_open = std::max(server_.most_open, ++server_.open);
            connection_.send(server_.manners.greeting);
            connection_.start();
        }

        void read_on() {
            reads_on_ = true;
            if (connection_.paused()) connection_.resume();
        }

     private:
        size_t on_bytes(std::string_view bytes) override {
            const size_t size_bytes = bytes.size();
            while (!bytes.empty() && !connection_.closing() && !connection_.paused()) {
                if (in_message_) {
                    take_message(bytes);
                } else {
                    const size_t end = bytes.find('\n');
                    line_ += bytes.substr(0, end);
                    bytes.remove_prefix(std::min(bytes.size(), end + (end != bytes.npos)));
                    if (end != std::string_view::npos) on_line(trimmed(std::exchange(line_, {})));
                }
            }
            return size_bytes - bytes.size();
        }

        void take_message(std::string_view& bytes) {
            std::string& message = server_.unfinished;
            const size_t before = message.size();
            message += bytes;
            if (!reads_on_ && message.size() >= server_.manners.reads_of_message) {
                bytes = {};
                reads_on_ = server_.manners.refuses_and_reads_on;
                if (!reads_on_) connection_.pause();
                if (server_.manners.end[0] != '2') connection_.send(server_.manners.end);
                return;
            }
            const size_t end = message.find("\r\n.\r\n", before < 5 ? 0 : before - 5);
            if (end == std::string::npos) {
                bytes = {};
                return;
            }
            bytes.remove_prefix(end + 5 - before);
            message.resize(end + 2);
            server_.messages.push_back(std::exchange(message, {}));
            in_message_ = false;
            say(server_.manners.end, server_.manners.end_delay_us);
        }

        void on_line(std::string_view line) {
            const Manners& manners = server_.manners;
            const auto is = [&](std::string_view verb) {
                return starts_with_ignoring_case(line, verb);
            };
            if (is("EHLO") || is("HELO")) return say(manners.hello);
            if (is("MAIL") && manners.drops_at_mail) return hang_up();
            if (is("MAIL")) return say(manners.mail);
            if (is("RCPT")) return say(manners.rcpt);
            if (is("QUIT")) {
                leaving_ = true;
                if (!manners.bye.empty()) say(manners.bye, manners.bye_delay_us);
                return;
            }
            if (is("DATA")) {
                in_message_ = manners.rcpt[0] == '2';
                return say(in_message_ ? "354 go\r\n" : "554 5.5.1 no valid recipients\r\n");
            }
            say("250 2.0.0 Ok\r\n");
        }

        void say(std::string_view text, int64_t delay_us = 0) {
            if (delay_us == 0) {
                connection_.send(text);
                if (leaving_) hang_up();
                return;
            }
            to_say_ = text;
            connection_.pause();  // what comes meanwhile is answered behind it
            server_.loop_.timers().set(later_, server_.loop_.now_us() + delay_us);
        }

        void on_later() {
            connection_.send(std::exchange(to_say_, {}));
            if (leaving_) return hang_up();
            connection_.resume();
        }

        void hang_up() {
            uncount();
            connection_.close();
        }

        void uncount() {
            if (std::exchange(counted_, false)) --server_.open;
        }

        void on_end(Connection::End, int) override {
            uncount();
            later_.cancel();
            connection_.abort();
        }

        void on_closed() override { uncount(); }

        MannersServer& server_;
        Connection connection_;
        Timer later_;
        bool counted_ = false;
        bool leaving_ = false;
        bool in_message_ = false;
        bool reads_on_ = false;
        std::string line_;
        std::string to_say_;
    };

    void on_accept(const Event& event) {
        if (event.result >= 0)
            visits_.push_back(std::make_unique<Visit>(*this, Socket{event.result}));
        if (event.last) loop_.accept(accepted_, listener_);
    }

    SimWorld& world_;
    SimLoop& loop_;
    Completion accepted_;
    Socket listener_;
    std::list<std::unique_ptr<Visit>> visits_;
};

class LinesLog final : public Log {
 public:
    void line(wire::Severity, std::string_view text) override { lines.emplace_back(text); }

    size_t count(std::string_view part) const {
        return static_cast<size_t>(std::count_if(
            lines.begin(), lines.end(),
            [&](const std::string& line) { return line.find(part) != std::string::npos; }));
    }

    std::vector<std::string> lines;
};

class LaneTest : public ::testing::Test, public smtp::Lane::Owner {
 protected:
    LaneTest() {
        config_.helo_name = config_.myhostname = "client.test";
        config_.connect_timeout_us = 30 * kSecondUs;
        config_.helo_timeout_us = config_.mail_timeout_us = config_.rcpt_timeout_us =
            300 * kSecondUs;
        config_.data_init_timeout_us = 120 * kSecondUs;
        config_.data_xfer_timeout_us = 180 * kSecondUs;
        config_.data_done_timeout_us = 600 * kSecondUs;
        config_.rset_timeout_us = 20 * kSecondUs;
        config_.quit_timeout_us = 10 * kSecondUs;
        config_.mx_session_limit = 2;
    }

    ~LaneTest() override {
        world_.kill(loop_);
        lane_.reset();
    }

    struct Over {
        std::unique_ptr<smtp::Job> job;
        bool attempted = false;
        int64_t at_us = 0;

        const DeliveryStatus& status() const { return job->recipients.at(0).status; }
    };

    void open(const std::vector<IpAddress>& hosts, bool others_work = false) {
        wire::LaneOpen open;
        open.lane = 1;
        open.nexthop = "dest.test";
        open.others_work = others_work;
        for (const IpAddress& address : hosts) {
            wire::Host host;
            host.name = "mx.dest.test";
            host.address = address.bytes;
            open.hosts.push_back(host);
        }
        lane_ = std::make_unique<smtp::Lane>(loop_, log_, config_, open, *this);
    }

    void add(uint64_t number, std::string_view content = "Subject: x\r\n\r\nbody\r\n") {
        in_turn([this, number, content] { lane_->add(make_job(number, content)); });
    }

    void add_two(uint64_t first, uint64_t second) {
        in_turn([this, first, second] {
            for (const uint64_t number : {first, second})
                lane_->add(make_job(number, "Subject: x\r\n\r\nbody\r\n"));
        });
    }

    std::unique_ptr<smtp::Job> make_job(uint64_t number, std::string_view content) {
        auto job = std::make_unique<smtp::Job>();
        wire::DeliveryJob sent;
        sent.job = number;
        sent.id = 1'700'000'000'000'000 + number;
        sent.arrived_wall_us = sent.active_wall_us = loop_.wall_us();
        sent.sender = "s@source.test";
        sent.size_bytes = content.size();
        sent.recipients.push_back({0, "a@dest.test", {}, 0});
        wire::encode(sent, job->record);
        EXPECT_TRUE(wire::decode(job->record, job->wire));
        job->content = {content};
        job->recipients.resize(1);
        return job;
    }

    // As records of qmgr come: from the loop.
    void in_turn(std::function<void()> act) {
        act_ = std::move(act);
        loop_.timers().set(act_timer_, loop_.now_us());
        world_.run_for(5 * kMsUs, kSteps);
        ASSERT_FALSE(act_timer_.is_set());
    }

    void run(int64_t us) { world_.run_for(us, kSteps); }

    // smtp::Lane::Owner
    smtp::Link& make_link(const std::string& host_name, const Endpoint& endpoint,
                          const std::string& nexthop, smtp::Link::User& user) override {
        ++links_made_;
        links_.push_back(std::make_unique<smtp::Link>(loop_, config_, host_name, endpoint, nexthop,
                                                      user,
                                                      static_cast<smtp::Link::Keeper&>(*this)));
        return *links_.back();
    }

    void on_link_gone(smtp::Link& link) override {
        world_.after(1, [this, gone = &link] {
            std::erase_if(links_, [&](const auto& held) { return held.get() == gone; });
        });
    }

    void on_job_over(smtp::Lane&, std::unique_ptr<smtp::Job> job, bool attempted) override {
        over_.push_back({std::move(job), attempted, loop_.now_us()});
        if (then_) then_();
    }

    void on_lane_over(smtp::Lane&, smtp::LaneEnd end, const DeliveryStatus& why) override {
        EXPECT_FALSE(ended_);
        ended_ = true;
        end_ = end;
        why_ = why;
    }

    bool others_work(const smtp::Lane&) const override { return others_work_; }

    void on_shortage(const std::string& what) override { shortages_.push_back(what); }

    static constexpr uint64_t kSteps = 10'000'000;

    SimWorld world_{1};
    SimLoop& loop_ = world_.make_loop("smtp");
    LinesLog log_;
    smtp::SmtpConfig config_;
    std::list<std::unique_ptr<smtp::Link>> links_;
    std::unique_ptr<smtp::Lane> lane_;
    size_t links_made_ = 0;
    std::vector<Over> over_;
    std::function<void()> then_;
    bool ended_ = false;
    smtp::LaneEnd end_ = smtp::LaneEnd::quiet;
    DeliveryStatus why_;
    bool others_work_ = false;
    std::vector<std::string> shortages_;
    const IpAddress first_ = IpAddress::v4(10, 0, 9, 1);
    const IpAddress second_ = IpAddress::v4(10, 0, 9, 2);
    const IpAddress third_ = IpAddress::v4(10, 0, 9, 3);

 private:
    void on_act() { std::exchange(act_, nullptr)(); }

    std::function<void()> act_;
    Timer act_timer_{timer_calls<&LaneTest::on_act, LaneTest>(), this};
};

}  // namespace posthaste::simulation
