#include "scheduler/outcome_log.h"

#include <utility>

#include "base/codec.h"

namespace posthaste {

uint64_t OutcomeLog::add(wire::RecordOutcome& outcome, bool final) {
    outcome.sequence = ++last_;
    Kept kept{last_, outcome.id, final, std::exchange(spare_, {})};
    wire::encode(outcome, kept.body);
    kept_.push_back(std::move(kept));
    return last_;
}

}  // namespace posthaste
