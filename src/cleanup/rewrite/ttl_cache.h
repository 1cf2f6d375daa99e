// cleanup/rewrite/ttl_cache.h: answers kept until their time is up. Bounded: the oldest goes when a
// new one needs its place.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>

#include "base/units.h"

namespace posthaste::rewrite {

template <class Value>
class TtlCache {
 public:
    explicit TtlCache(size_t entries_max) : entries_max_(entries_max) {}

    struct Hit {
        const Value* value = nullptr;  // good until the next put() or clear()
        uint32_t ttl_s = 0;            // what is left, at least 1
    };

    Hit find(const std::string& key, int64_t now_us) {
        const auto found = by_key_.find(key);
        if (found == by_key_.end()) return {};
        const int64_t left_us = found->second->expires_us - now_us;
        if (left_us <= 0) {
            by_age_.erase(found->second);
            by_key_.erase(found);
            return {};
        }
        return {&found->second->value, static_cast<uint32_t>(left_us / kSecondUs) + 1};
    }

    void put(const std::string& key, Value value, uint32_t ttl_s, int64_t now_us) {
        erase(key);
        if (by_key_.size() >= entries_max_) erase(std::string(by_age_.front().key));
        by_age_.push_back({key, std::move(value), now_us + int64_t{ttl_s} * kSecondUs});
        by_key_[key] = std::prev(by_age_.end());
    }

    void clear() {
        by_key_.clear();
        by_age_.clear();
    }

    size_t size() const noexcept { return by_key_.size(); }

 private:
    struct Entry {
        std::string key;
        Value value;
        int64_t expires_us = 0;
    };

    void erase(const std::string& key) {
        const auto found = by_key_.find(key);
        if (found == by_key_.end()) return;
        by_age_.erase(found->second);
        by_key_.erase(found);
    }

    size_t entries_max_;
    std::list<Entry> by_age_;  // as they were put in
    std::unordered_map<std::string, typename std::list<Entry>::iterator> by_key_;
};

}  // namespace posthaste::rewrite
