// master/child.h: one process of a service, from fork to reaping.
//
//   starting ──Ready──► ready ──Drain sent──► draining ──exit──► gone
//      │                  └──Drain gently──► retiring ──┘
//      └───── Failed, exit ─────────────────────────────────────►┘
//
// Owned by the supervisor. Holds what the process was given (its end of the control socket is ours
// no longer) and the counter page it writes, which master only reads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

#include "runtime/control.h"
#include "runtime/counters.h"

#include "master/listeners.h"
#include "master/plan.h"

namespace posthaste {

class Child {
 public:
    enum class State : uint8_t { starting, ready, retiring, draining };

    struct Identity {
        std::string service_key;
        const RoleRow* row = nullptr;
        unsigned worker = 0;    // among the processes of its master.cf line
        uint16_t instance = 0;  // among all processes of its role
        uint32_t incarnation = 0;
    };

    enum class Purpose : uint8_t { work, judge };  // judge: see master/judgement.h

    // Forks, runs the program, sends Start. `program_path`, user and settings come from the plan.
    static Result<std::unique_ptr<Child>> spawn(const PlannedService& service, Identity identity,
                                                const std::vector<Listener>& listeners,
                                                Purpose purpose = Purpose::work);

    const Identity& identity() const noexcept { return identity_; }

    Role role() const noexcept { return identity_.row->role; }

    // "smtpd/1" for logs.
    std::string name() const;

    // How its own lines begin there: "postfix/smtpd".
    const std::string& log_tag() const noexcept { return log_tag_; }

    pid_t pid() const noexcept { return pid_; }

    int pidfd() const noexcept { return pidfd_.get(); }

    int control() const noexcept { return control_.get(); }

    int error_output() const noexcept { return error_output_.get(); }

    // False: it is gone or does not read; kill() it.
    template <class Record>
    bool send(const Record& record, std::initializer_list<int> descriptors = {}) {
        return control_ && send_control(control_.get(), record, descriptors).has_value();
    }

    bool reload(const Settings& settings);
    void drain();
    // A successor is at work: it may let its clients finish.
    void retire();

    // It takes part: others may be introduced to it.
    bool is_at_work() const noexcept { return state == State::ready || state == State::retiring; }

    // Drain, or at once when it has not started: it has nothing to finish.
    void dismiss();
    void kill(int signal) noexcept;
    // Whether or not that has been noticed.
    bool has_ended() const noexcept;

    // Nothing more will be read from it.
    void close_control() noexcept { control_.reset(); }

    // Whole lines it has written to its standard error since the last call; bounded.
    std::vector<std::string> take_error_lines();

    std::vector<CounterValue> counters() const { return read_counters(counters_->page()); }

    // For limit_us, seen at each call, it has neither ended its turn nor slept of its own will: it
    // runs in a circle, waits for what does not come, or was stopped (SIGSTOP). One that sleeps
    // because it has nothing to do is well, however long. A debugger's hold on a sleeper is not
    // seen.
    bool is_hung(int64_t now_us, int64_t limit_us) noexcept;

    State state = State::starting;
    bool is_given_up = false;  // killed for what it did, or reaped: its word counts no more
    std::optional<Role> fell_out_with;  // of the last that was killed over a quarrel with this one
    int64_t fell_out_us = 0;
    std::set<uint32_t> introduced_to;  // incarnations of the living
    int64_t talks_since_us = 0;        // and what it has said to master since
    unsigned words = 0;
    int64_t started_us = 0;  // steady clock
    int64_t ready_us = 0;
    int64_t retire_at_us = 0;    // its last clients are coming, then it retires; 0: none
    int64_t drain_at_us = 0;     // retiring: patience ends; 0: none
    int64_t kill_at_us = 0;      // 0: no limit
    std::string failure;         // what Failed said
    std::string last_words;      // the last line on its standard error
    std::string missing_layers;  // what Ready said

 private:
    Child() = default;
    void set_log_tag(const Settings& settings);
    bool is_stopped() const noexcept;

    Identity identity_;
    std::string log_tag_;
    pid_t pid_ = -1;
    Fd pidfd_;
    Fd control_;
    Fd error_output_;
    std::optional<CounterMapping> counters_;
    uint64_t last_beat_ = 0;
    int64_t well_at_us_ = 0;  // when it was last seen alive
    std::string error_text_;
};

}  // namespace posthaste
