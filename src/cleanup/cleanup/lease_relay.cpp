#include "cleanup/cleanup/lease_relay.h"

#include <algorithm>

namespace posthaste::cleanup {

bool LeaseRelay::add(Asker asker) {
    const auto same = std::find_if(pending_.begin(), pending_.end(), [&](const Pending& pending) {
        return pending.asker.incarnation == asker.incarnation;
    });
    if (same != pending_.end()) {
        same->asker = asker;
        return true;
    }
    if (pending_.size() >= kPendingMax) return false;
    pending_.push_back({next_cookie_++, asker, false});
    return true;
}

void LeaseRelay::send_unasked(const std::function<bool(uint64_t cookie)>& ask) {
    for (Pending& pending : pending_) {
        if (pending.asked) continue;
        if (!ask(pending.cookie)) return;
        pending.asked = true;
    }
}

std::optional<LeaseRelay::Asker> LeaseRelay::take(uint64_t cookie) {
    const auto found = std::find_if(pending_.begin(), pending_.end(), [&](const Pending& pending) {
        return pending.asked && pending.cookie == cookie;
    });
    if (found == pending_.end()) return std::nullopt;
    const Asker asker = found->asker;
    pending_.erase(found);
    return asker;
}

void LeaseRelay::on_asker_gone(uint32_t incarnation) {
    std::erase_if(pending_,
                  [&](const Pending& pending) { return pending.asker.incarnation == incarnation; });
}

void LeaseRelay::on_store_gone() noexcept {
    for (Pending& pending : pending_) pending.asked = false;
}

}  // namespace posthaste::cleanup
