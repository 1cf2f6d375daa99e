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
// A connection that is left is this lane's until the server has answered QUIT or is gone: only then
// does the lane make another one, or close. So nobody ever has more connections than lanes.
//
// When this machine has no descriptor, port or memory for a connection, the lane waits and tries
// again: no server is to blame. Connections of other lanes to the same site may work while this one
// gets none: then the site takes no more than those, and the lane closes as one too many, its jobs
// untouched.
//
// Hosts are tried in qmgr's order. A recipient that one server defers is offered to the next one as
// long as smtp_mx_session_limit allows. The lane that finds no host at all settles its first job as
// deferred, returns the others unattempted, and closes.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/log.h"
#include "runtime/loop.h"

#include "egress/smtp/job.h"
#include "egress/smtp/link.h"
#include "egress/smtp/smtp_config.h"

namespace posthaste::smtp {

enum class LaneEnd : uint8_t {
    quiet,       // nothing left to do
    hop_failed,  // every host refused or could not be reached
    crowded,     // the same, while other connections to the site work
};

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
        virtual void on_lane_over(Lane& lane, LaneEnd end, const DeliveryStatus& why) = 0;
        // Another lane to its next hop has a connection that its server has taken.
        virtual bool others_work(const Lane& lane) const = 0;
        // This machine could not make a connection. Told at each try.
        virtual void on_shortage(const std::string& what) = 0;

     protected:
        ~Owner() = default;
    };

    Lane(Loop& loop, Log& log, const SmtpConfig& config, const wire::LaneOpen& open, Owner& owner);
    ~Lane();

    uint32_t number() const noexcept { return number_; }

    const std::string& nexthop() const noexcept { return nexthop_; }

    bool is_ready() const noexcept { return link_ != nullptr && link_->is_ready(); }

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
    void on_link_short(int os_errno) override;
    void on_link_left() override;

    void turn_to_front();
    void connect_to(uint32_t host);
    void feed();
    bool connection_worn_out() const;
    void log_settled(Job& job, bool will_retry);
    bool retry_on_next_host(Job& job);
    void give_up(const DeliveryStatus& why);
    void give_up(const DeliveryStatus& why, LaneEnd how);
    void wait_for_means(const DeliveryStatus& why);
    void give_back(std::unique_ptr<Job> job);
    void end(LaneEnd how, const DeliveryStatus& why);
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
    Link* left_ = nullptr;  // has said QUIT; no other link while it is there
    const bool others_worked_;
    std::optional<DeliveryStatus> refused_;  // by an earlier host of this search
    Timer retry_timer_;                      // until means are looked for again
    int64_t short_since_us_ = 0;             // 0: this machine had what it takes the last time
    int64_t short_wait_us_ = 0;
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
