// base/deliberate_bug.h: bugs that are made on purpose, to prove that the simulation finds them.
//
// In the relay has_bug() is the constant false and the code behind it is gone. tests/simulation/relay
// compiles the few files that have hooks a second time, with POSTHASTE_DELIBERATE_BUGS, into one
// test program, which switches one bug on at a time.
#pragma once

#include <cstdint>

namespace posthaste {

enum class DeliberateBug : uint8_t {
    none,
    ack_before_sync,       // the log is written, but not synced, when 250 is said
    ack_failed_write,      // a write that failed is answered as one that did not
    reuse_id,              // a lease of ids is given out again, and used ids are taken
    free_submitted,        // smtpd takes blocks back as soon as it has passed them to cleanup
    free_lent,             // the store takes blocks back as soon as it has lent them to qmgr
    free_early,            // smtpd takes blocks back that a dead cleanup may have passed on
    leak_blocks,           // … or never takes them back
    free_held,             // the store takes bytes back that agents send for a dead qmgr
    drop_reports,          // an agent forgets its reports when qmgr dies
    forget_jobs_on_drain,  // an agent that stops reports its jobs under no lane
    forget_dead_agent,     // the jobs of a dead agent are nobody's
    skip_due_time,         // a message that is loaded is tried for all its recipients
    forget_recipient,      // the last of several that wait is not written down
    outlive_lifetime,      // what is too old is tried again
    refused_is_done,       // a refused recipient is not held
    load_before_recorded,  // a message is loaded again while its last outcome is under way
    believe_any_yes,       // a 250 counts for a message although something else was said behind it
    ignore_window,         // more connections than a destination may have
    ignore_active_limit,   // more active messages than there may be
    wait_for_others,       // a recipient's time comes when its message's others are done
};

#ifdef POSTHASTE_DELIBERATE_BUGS
inline DeliberateBug deliberate_bug = DeliberateBug::none;

inline bool has_bug(DeliberateBug bug) noexcept { return deliberate_bug == bug; }
#else
constexpr bool has_bug(DeliberateBug) noexcept { return false; }
#endif

}  // namespace posthaste
