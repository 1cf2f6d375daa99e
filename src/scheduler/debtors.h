// scheduler/debtors.h: who took more than he had in a round of deficit round robin, and then had
// nothing left to be served. What he would have been given meanwhile pays the debt off; without that
// one large job at a time would get more than its share.
//
// Row has: int32_t deficit, uint64_t left_at, Links turn_links (free while it is not in the round).
// Bounded: of more than kMax the one that left longest ago is forgiven.
#pragma once

#include <algorithm>
#include <cstdint>

#include "scheduler/index_list.h"

namespace posthaste {

template <class Row>
class Debtors {
 public:
    static constexpr uint32_t kMax = 1024;

    // forget(index): nothing needs to be remembered of it.
    template <class Rows, class Forget>
    void left(Rows& rows, uint32_t index, Forget&& forget) {
        if (rows[index].deficit > 0) return forget(index);
        rows[index].left_at = turns_;
        list_.push_back(rows, index);
        if (++count_ <= kMax) return;
        --count_;
        forget(list_.pop_front(rows));
    }

    template <class Rows>
    void returned(Rows& rows, uint32_t index, int32_t quantum) {
        list_.remove(rows, index);
        --count_;
        rows[index].deficit =
            static_cast<int32_t>(std::min<int64_t>(deficit_now(rows[index]), quantum));
    }

    // So many points were given to those in the round.
    template <class Rows, class Forget>
    void pass(Rows& rows, uint32_t points, Forget&& forget) {
        if (count_ == 0) return;
        const uint32_t in_round = rows.in_use() - count_;
        turns_ += points * uint64_t{kTurnUnit} / std::max(in_round, 1U);
        const uint32_t oldest = list_.front();
        if (deficit_now(rows[oldest]) <= 0) return;
        list_.remove(rows, oldest);
        --count_;
        forget(oldest);
    }

 private:
    static constexpr uint32_t kTurnUnit = 256;  // to the point

    int64_t deficit_now(const Row& row) const noexcept {
        return row.deficit + static_cast<int64_t>((turns_ - row.left_at) / kTurnUnit);
    }

    IndexList<Row, &Row::turn_links> list_;  // have left, longest ago first
    uint32_t count_ = 0;
    // Points that one in the round was given, on the average, since some moment; counted only while
    // somebody is in debt.
    uint64_t turns_ = 0;
};

}  // namespace posthaste
