#include "runtime/turn_listeners.h"

#include <algorithm>

#include "base/assert.h"

namespace posthaste {

void TurnListeners::add(TurnListener& listener) {
    DCHECK(std::find(permanent_.begin(), permanent_.end(), &listener) == permanent_.end());
    permanent_.push_back(&listener);
}

void TurnListeners::remove(TurnListener& listener) noexcept {
    // Replaced by null, not erased: the lists may be under way.
    std::replace(permanent_.begin(), permanent_.end(), &listener,
                 static_cast<TurnListener*>(nullptr));
    if (!listener.turn_end_requested_) return;
    listener.turn_end_requested_ = false;
    std::replace(requested_.begin(), requested_.end(), &listener,
                 static_cast<TurnListener*>(nullptr));
    std::replace(running_.begin(), running_.end(), &listener, static_cast<TurnListener*>(nullptr));
}

void TurnListeners::request(TurnListener& listener) {
    if (listener.turn_end_requested_) return;
    listener.turn_end_requested_ = true;
    requested_.push_back(&listener);
}

void TurnListeners::run() {
    for (int round = 0; round < kRoundsMax; ++round) {
        run_requested();
        for (size_t i = 0; i < permanent_.size(); ++i) {
            if (permanent_[i] != nullptr) permanent_[i]->on_turn_end();
        }
        if (requested_.empty()) break;
    }
    permanent_.erase(std::remove(permanent_.begin(), permanent_.end(), nullptr), permanent_.end());
}

void TurnListeners::run_requested() {
    running_.swap(requested_);
    for (size_t i = 0; i < running_.size(); ++i) {
        TurnListener* listener = running_[i];
        if (listener == nullptr) continue;
        // Out of the list before the call, so that it may ask again, or go.
        running_[i] = nullptr;
        listener->turn_end_requested_ = false;
        listener->on_turn_end();
    }
    running_.clear();
}

bool TurnListeners::before_sleep() {
    asked_before_sleep_ = 0;
    if (!requested_.empty()) return true;
    while (asked_before_sleep_ < permanent_.size()) {
        TurnListener* listener = permanent_[asked_before_sleep_++];
        if (listener != nullptr && listener->before_sleep()) return true;
    }
    return !requested_.empty();
}

void TurnListeners::after_sleep() {
    for (size_t i = 0; i < asked_before_sleep_ && i < permanent_.size(); ++i) {
        if (permanent_[i] != nullptr) permanent_[i]->after_sleep();
    }
    asked_before_sleep_ = 0;
}

}  // namespace posthaste
