// master/judgement.h: what the services themselves say of new settings, before anybody lives by
// them.
//
// One process of each service reads its settings, and the files they name, as it does at a start
// before it gives its rights away; it says what is wrong, and goes. `posthaste check`, start and
// reload let pass what all of them let pass, and nothing else.
//
// Owned by master's main, which waits, or by the supervisor, which goes on meanwhile. Nothing of it
// is left when it goes.
#pragma once

#include <memory>
#include <poll.h>
#include <vector>

#include "runtime/settings/diagnostics.h"

#include "master/child.h"
#include "master/plan.h"

namespace posthaste {

class Judgement {
 public:
    // Starts the processes. `plan` outlives this.
    explicit Judgement(const Plan& plan);
    ~Judgement();
    Judgement(const Judgement&) = delete;
    Judgement& operator=(const Judgement&) = delete;

    // What look() waits for.
    void add_waits(std::vector<pollfd>& waits) const;

    // Who has not judged by then is at fault.
    int64_t deadline_us() const noexcept { return deadline_us_; }

    // Hears who has something to say. True: all have judged.
    bool look();

    // After look() was true: what they found, with the place in the files where it stands.
    void tell(Diagnostics& diagnostics) const;

 private:
    struct Judge {
        const PlannedService* service;
        std::unique_ptr<Child> process;  // none: it has gone, or never came
        bool has_judged = false;
        std::string fault;
        std::string warnings;  // one a line
    };

    void hear(Judge& judge);
    void bury(Judge& judge);

    const Plan& plan_;
    int64_t deadline_us_;
    std::vector<Judge> judges_;
};

// Waits for it.
void judge(const Plan& plan, Diagnostics& diagnostics);

// Where a service's word on its settings belongs: it begins with the parameter's name when it is
// about one.
Place place_of(const Plan& plan, const PlannedService& service, std::string_view fault);

}  // namespace posthaste
