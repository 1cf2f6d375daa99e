// master/supervisor.h: keeps the plan's processes alive and introduces them to each other. Root,
// one thread, a plain poll loop: nothing that comes from the network ever reaches it. It moves no
// mail; when it dies, its children notice (end of file on their control sockets), finish and go.
//
//   starting ──all ready──► running ──SIGTERM──► stopping, stage by stage ──nobody left──► exit
//      └──── one fails, or start_time_limit ───────►┘ (exit 1 and the reason)
//   SIGHUP: reload.  SIGQUIT: kill all, exit.
//
// A process that dies is started again: at once if it had worked for a while, else after 1, 2, 4 …
// seconds up to service_throttle_time. Each pair of the process table is introduced when both are
// ready, and anew after a restart.
//
// A process that does not come round (Child::is_hung()) for daemon_timeout is killed, and so are
// those which a restart does not make ready within start_time_limit; what follows is what follows a
// death.
//
// A reload is judged first, by processes of the services (judgement.h); one that is refused changes
// nothing, and whoever asked for it is told why. Then every process is handed its new settings. A
// process that a changed setting does not reach (Applies::restart) is replaced: where several may
// run side by side the new one starts first and the old one finishes what it holds, so that no
// connection is dropped; of the others the old one ends first.
#pragma once

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.h"

#include "master/child.h"
#include "master/command_socket.h"
#include "master/judgement.h"
#include "master/listeners.h"
#include "master/master_log.h"
#include "master/plan.h"

namespace posthaste {

class Supervisor {
 public:
    struct Options {
        bool foreground = false;
        // Where the outcome of the start is written: "ready\n", or the reason; closed then. -1:
        // nobody waits.
        int outcome_fd = -1;
        SystemFacts facts;
    };

    Supervisor(Plan plan, Options options, MasterLog& log);

    // The exit status.
    int run();

 private:
    enum class Phase : uint8_t { starting, running, stopping };

    // A place for one process of a service.
    struct Slot {
        std::string service_key;
        unsigned worker = 0;
        std::unique_ptr<Child> child;  // none: waits for start_at_us
        int64_t start_at_us = 0;
        unsigned failures = 0;  // starts in a row that came to nothing
        bool wanted = true;     // false: dropped by a reload; goes when its process has gone
        bool renewed = false;   // a reload's successor is on its way, and has not failed so far
    };

    // Two, by incarnation, that were introduced and say that they have not met.
    struct Unmet {
        uint32_t first;
        uint32_t second;
        unsigned introductions;
    };

    // supervisor.cpp: the loop
    bool prepare();
    void turn();
    int64_t next_deadline_us() const;
    void on_signals();
    void on_time();
    void look_for_the_hung();
    int64_t look_every_us() const;
    void start_due();
    void start(Slot& slot);
    void finish_start(const std::string& fault);
    void tell_outcome(std::string_view outcome);
    void begin_stop(std::string_view why);
    void advance_stop();
    void kill_all();

    // supervisor_children.cpp: what children say and how they end
    void on_messages(Child& child);
    void on_message(Child& child, const ControlMessage& message);
    bool talks_too_much(Child& child);
    void on_ready(Child& child);
    void introduce(Child& a, Child& b);
    template <class Record>
    void tell(Child& child, const Record& record, std::initializer_list<int> descriptors = {});
    void put_out(Child& child);
    void on_error_output(Child& child);
    void on_exit(Child& child);
    void log_exit(const Child& child, int status, bool expected);
    void settle_slot(const Child& child, bool expected);
    Child* find(uint32_t incarnation);
    template <class Visitor>
    void for_each_child(Visitor visit);

    // supervisor_quarrels.cpp
    void on_quarrel(Child& accuser, const control::PeerMisbehaved& accusation);
    bool introduce_again(Child& accuser, Child& other);
    void forget_quarrels_of(uint32_t incarnation);

    // supervisor_reload.cpp
    void reload();
    void refuse_reload();
    void finish_judgement();
    void answer_askers(std::string_view outcome);
    void apply(Plan plan);
    void replace(Slot& slot);
    void retire(Child& child);

    // supervisor_status.cpp: the commands' questions
    void on_command();
    void on_reload_asked(Question question);
    std::string status_text();
    std::vector<std::string> faults(int64_t now_us) const;
    std::string shortage_of_space() const;
    void keep_counters(const Child& child);

    Plan plan_;
    Options options_;
    MasterLog& log_;
    Listeners listeners_;
    Phase phase_ = Phase::starting;
    int64_t phase_deadline_us_ = 0;
    int64_t started_us_ = 0;
    int64_t next_look_us_ = 0;  // at who is hung
    uint8_t stop_stage_ = 0;
    bool failed_ = false;
    bool done_ = false;
    uint32_t next_incarnation_ = 1;
    std::vector<Slot> slots_;
    std::vector<std::unique_ptr<Child>> retired_;  // replaced, finishing what they hold
    std::vector<Unmet> unmet_;
    // What the dead had counted, by program.
    std::map<std::string, std::vector<CounterValue>, std::less<>> former_counters_;
    std::deque<uint32_t> former_;  // the last incarnations that lent on and died

    struct Wakeup {
        std::string service_key;
        int64_t at_us;
        int64_t every_us;
    };

    void arm_wakeups();
    std::vector<Wakeup> wakeups_;

    // A reload that is being judged.
    struct Pending {
        Plan plan;
        std::unique_ptr<Judgement> judgement;  // of that plan
    };

    std::unique_ptr<Pending> pending_;
    Diagnostics reload_remarks_;
    std::vector<Question> askers_;  // who wait for a reload's outcome
    Fd signals_;
    Fd command_socket_;
};

int64_t steady_us() noexcept;

template <class Visitor>
void Supervisor::for_each_child(Visitor visit) {
    for (Slot& slot : slots_)
        if (slot.child) visit(*slot.child);
    for (const auto& child : retired_) visit(*child);
}

}  // namespace posthaste
