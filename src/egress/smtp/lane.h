// egress/smtp/lane.h: one connection's worth of concurrency towards a destination, as qmgr opened
// it.
//
// Jobs are delivered in the order they come, over one connection that is kept as long as it serves:
//
//   idle ──job──► connecting ──ready──► talking ──no job──► talking (idle, kept) ──LaneClose──► closed
//                   │ next host, until none is left            │ connection lost
//                   ▼                                          ▼
//                 closed (hop failed)                        idle, or connecting when jobs wait
//
// Hosts are tried in qmgr's order. A recipient that one server defers is offered to the next one as
// long as smtp_mx_session_limit allows. The lane that finds no host at all settles its first job as
// deferred, returns the others unattempted, and closes.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "runtime/log.h"
#include "runtime/loop.h"

#include "egress/smtp/job.h"
#include "egress/smtp/link.h"
#include "egress/smtp/smtp_config.h"

namespace posthaste::smtp {

class Lane final : private Link::User {
 public:
    // The service, as lanes see it.
    class Owner : public Link::Keeper {
     public:
        virtual Link& make_link(const std::string& host_name, const Endpoint& endpoint,
                                const std::string& nexthop, Link::User& user) = 0;
        virtual void on_job_over(Lane& lane, std::unique_ptr<Job> job, bool attempted) = 0;
        // Not attempted: as if it had never come. The lane deletes nothing; its owner removes it
        // after on_lane_over(), at the end of the turn.
        virtual void on_lane_over(Lane& lane, bool hop_failed, const DeliveryStatus& why) = 0;

     protected:
        ~Owner() = default;
    };

    Lane(Loop& loop, Log& log, const SmtpConfig& config, const wire::LaneOpen& open, Owner& owner);
    ~Lane();

    uint32_t number() const noexcept { return number_; }

    void add(std::unique_ptr<Job> job);
    void close();  // after what it holds
    // This process is to end: what was not begun goes back, what was begun is finished, nothing is
    // tried a second time.
    void drain();
    // qmgr is gone: the same, and reported as nobody's lane.
    void orphan();

    bool over() const noexcept { return over_; }

    bool draining() const noexcept { return draining_; }

    size_t jobs_in_session() const noexcept { return in_session_.size(); }

    // Calls visit(const Job&) for each job that has been begun.
    template <class Visit>
    void each_begun(Visit&& visit) const {
        for (const auto& job : in_session_) visit(*job);
    }

 private:
    struct HostCopy {
        std::string name;
        Endpoint endpoint;
    };

    void on_link_ready() override;
    void on_job_done(Job& job) override;
    void on_job_returned(Job& job) override;

    void on_link_note(std::string_view text) override { log_.info(text); }

    void on_link_warning(std::string_view text) override { log_.warning(text); }

    void on_link_dead(const DeliveryStatus& refusal, bool was_ready) override;

    void turn_to_front();
    void connect_to(uint32_t host);
    void feed();
    bool connection_worn_out() const;
    void log_settled(Job& job, bool will_retry);
    bool retry_on_next_host(Job& job);
    void give_up(const DeliveryStatus& why);
    void give_back(std::unique_ptr<Job> job);
    void end(bool hop_failed, const DeliveryStatus& why);
    std::unique_ptr<Job> take(Job& job);

    Loop& loop_;
    Log& log_;
    const SmtpConfig& config_;
    Owner& owner_;
    uint32_t number_;
    std::string nexthop_;
    std::vector<HostCopy> hosts_;
    std::deque<std::unique_ptr<Job>> waiting_;
    std::vector<std::unique_ptr<Job>> in_session_;
    size_t returned_ = 0;  // jobs at the front of waiting_ that this link's death gave back
    Link* link_ = nullptr;
    std::string refused_by_ = "none";  // for the log: the server whose greeting ended the search
    uint32_t host_ = 0;                // the one the link talks to
    uint32_t session_from_ = 0;        // where the search for it began
    bool closing_ = false;
    bool draining_ = false;
    bool over_ = false;
    bool feeding_ = false;
    std::string line_;
};

}  // namespace posthaste::smtp
