// Two of the house accuse each other, or one the other. Master was not there: either may lie, and
// what has happened already is all it can go by.
#include <algorithm>

#include "base/units.h"

#include "master/supervisor.h"

namespace posthaste {

namespace {

constexpr unsigned kIntroductionsAgainMax = 5;     // of one pair; then one of them begins anew
constexpr int64_t kQuarrelsomeUs = 1 * kMinuteUs;  // from one quarrel to one with another role

// The one whom strangers reach more easily: who speaks with the network, then who stands nearer to
// the clients.
Child& nearer_to_strangers(Child& a, Child& b) {
    const auto distance = [](const Child& child) {
        const RoleRow& row = *child.identity().row;
        return (row.user_parameter == "network_user" ? 0 : kStopStages) + row.stop_stage;
    };
    return distance(a) <= distance(b) ? a : b;
}

}  // namespace

// Two that have met hold each other's memory: neither may take it back while the other lives. Two
// that have not hold nothing, and may try again.
void Supervisor::on_quarrel(Child& accuser, const control::PeerMisbehaved& accusation) {
    if (accuser.is_given_up) return;
    Child* const other = find(accusation.incarnation);
    log_.warning(accuser.name() + " accuses " + (other ? other->name() : "a process that is gone") +
                 ": " + std::string(accusation.text));
    // A death settles everything.
    const bool was_born = accusation.incarnation - 1 < next_incarnation_ - 1;
    if (other == nullptr ? was_born : other->is_given_up || other->has_ended()) return;
    if (!accuser.introduced_to.contains(accusation.incarnation)) {
        log_.error(accuser.name() + " was never introduced to " +
                   (other ? other->name() : "whom it accuses") + ": restarting " + accuser.name());
        return put_out(accuser);
    }
    if (!accusation.had_met && introduce_again(accuser, *other)) return;
    // Either may be the liar, and apart from each other they would stop the mail.
    Child& goes = nearer_to_strangers(accuser, *other);
    Child& stays = &goes == &accuser ? *other : accuser;
    log_.error(accuser.name() + " and " + other->name() + " have fallen out: restarting " +
               goes.name());
    put_out(goes);
    // Whoever falls out with everybody is the liar himself. One role may have been taken over in all
    // its workers, by the same bytes; and a liar that keeps to one role can not do more to it by
    // this than by its silence.
    const int64_t now_us = steady_us();
    const bool again = stays.fell_out_with && *stays.fell_out_with != goes.role() &&
                       now_us - stays.fell_out_us < kQuarrelsomeUs;
    stays.fell_out_with = goes.role();
    stays.fell_out_us = now_us;
    if (!again) return;
    log_.error(stays.name() + " falls out with one after the other: restarting it as well");
    put_out(stays);
}

// False: often enough.
bool Supervisor::introduce_again(Child& accuser, Child& other) {
    if (!other.is_at_work() || !accuser.is_at_work()) return true;
    const uint32_t first = std::min(other.identity().incarnation, accuser.identity().incarnation);
    const uint32_t second = std::max(other.identity().incarnation, accuser.identity().incarnation);
    auto known = std::find_if(unmet_.begin(), unmet_.end(), [&](const Unmet& pair) {
        return pair.first == first && pair.second == second;
    });
    if (known == unmet_.end()) known = unmet_.insert(unmet_.end(), {first, second, 0});
    if (++known->introductions > kIntroductionsAgainMax) return false;
    introduce(accuser, other);
    return true;
}

void Supervisor::forget_quarrels_of(uint32_t incarnation) {
    std::erase_if(unmet_, [&](const Unmet& pair) {
        return pair.first == incarnation || pair.second == incarnation;
    });
}

}  // namespace posthaste
