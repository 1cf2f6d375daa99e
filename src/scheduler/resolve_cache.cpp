#include "scheduler/resolve_cache.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "base/units.h"

#include "mail/address.h"

#include "scheduler/hash.h"

namespace posthaste {

namespace {

constexpr uint32_t kTtlMaxS = 24 * 3600;
constexpr size_t kDomainStackBytes = 512;

// Domains are compared without regard to case; local parts are not.
uint64_t hash_of_key(std::string_view key, uint64_t seed) noexcept {
    char lowered_key[kDomainStackBytes];
    if (key.size() > sizeof(lowered_key)) return hash_of(key, seed);
    std::transform(key.begin(), key.end(), lowered_key, to_lower);
    return hash_of(std::string_view(lowered_key, key.size()), seed);
}

bool same_key(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    const size_t at_a = a.rfind('@');
    if (at_a == std::string_view::npos) return equals_ignoring_case(a, b);
    return a.substr(0, at_a) == b.substr(0, at_a) &&
           equals_ignoring_case(a.substr(at_a), b.substr(at_a));
}

}  // namespace

// An address without a domain stands for itself.
std::string_view ResolveCache::domain_key(std::string_view recipient) noexcept {
    const auto domain = domain_of(recipient);
    return domain.empty() ? recipient : domain;
}

uint32_t ResolveCache::find(std::string_view key) const noexcept {
    return index_.find(hash_of_key(key, seed_),
                       [&](uint32_t index) { return same_key(entries_[index].key, key); });
}

ResolveCache::Lookup ResolveCache::wait_new(std::string_view key, std::string_view recipient,
                                            const ResolveWaiter& waiter) {
    if (entries_.in_use() >= entries_max_) {
        if (answered_.empty()) return {nullptr, true};
        drop(answered_.front());
    }
    const uint32_t index = entries_.allocate();
    Entry& entry = entries_[index];
    entry.key.assign(key);
    entry.question.assign(recipient);
    entry.hash = hash_of_key(key, seed_);
    entry.state = State::asking;
    entry.asked = false;
    entry.deaths = 0;
    ++entry.serial;
    index_.insert(entry.hash, index);
    unasked_.push_back(index);
    return wait_at(index, recipient, waiter);
}

ResolveCache::Lookup ResolveCache::wait_at(uint32_t index, std::string_view recipient,
                                           const ResolveWaiter& waiter) {
    Entry& entry = entries_[index];
    entry.waiting.push_back({waiter, same_key(entry.question, recipient)});
    return {};
}

void ResolveCache::ask_again(uint32_t index, std::string_view recipient) {
    Entry& entry = entries_[index];
    answered_.remove(entries_, index);
    entry.question.assign(recipient);
    entry.state = State::asking;
    ++entry.serial;
    (entry.deaths > 0 ? suspects_ : unasked_).push_back(index);
}

void ResolveCache::ask_all_again() {
    unasked_.clear();
    suspects_.clear();
    suspect_asked_ = kNone;
    for (uint32_t index = 0; index < entries_.end(); ++index) {
        Entry& entry = entries_[index];
        if (entry.state != State::asking) continue;
        entry.asked = false;
        (entry.deaths > 0 ? suspects_ : unasked_).push_back(index);
    }
}

std::vector<ResolveCache::Fatal> ResolveCache::rewrite_died(uint8_t deaths_of_suspect) {
    std::vector<Fatal> fatal;
    for (uint32_t index = 0; index < entries_.end(); ++index) {
        Entry& entry = entries_[index];
        if (entry.state != State::asking || !entry.asked) continue;
        if (suspect_asked_ != kNone && suspect_asked_ != index) continue;
        if (entry.deaths < UINT8_MAX) ++entry.deaths;
        if (entry.deaths >= deaths_of_suspect)
            fatal.push_back({cookie_of(index), entry.deaths, entry.question});
    }
    ask_all_again();
    return fatal;
}

void ResolveCache::expire_all() {
    for (uint32_t index = answered_.front(); index != kNone;
         index = answered_.next(entries_, index))
        entries_[index].expires_us = INT64_MIN;
}

bool ResolveCache::answer(uint64_t cookie, bool per_domain, uint32_t ttl_s, int64_t now_us,
                          Route route, std::vector<ResolveWaiter>& waiters,
                          std::vector<ResolveWaiter>& others) {
    waiters.clear();
    others.clear();
    const auto index = static_cast<uint32_t>(cookie);
    if (index >= entries_.end()) return false;
    Entry& entry = entries_[index];
    if (entry.state != State::asking || entry.serial != cookie >> 32) return false;

    if (suspect_asked_ == index) suspect_asked_ = kNone;
    if (std::exchange(entry.asked, false)) entry.deaths = 0;
    const bool own_key = same_key(entry.key, entry.question);
    for (const Waiting& waiting : entry.waiting) {
        (per_domain || own_key || waiting.same_recipient ? waiters : others)
            .push_back(waiting.waiter);
    }
    entry.waiting.clear();
    entry.waiting.shrink_to_fit();
    // A second at least, so that a storm of mail does not become a storm of questions.
    entry.expires_us = now_us + std::clamp<int64_t>(ttl_s, 1, kTtlMaxS) * kSecondUs;
    entry.state = per_domain || own_key ? State::known : State::by_address;
    entry.route = std::move(route);
    answered_.push_back(entries_, index);
    return true;
}

void ResolveCache::drop(uint32_t index) {
    Entry& entry = entries_[index];
    answered_.remove(entries_, index);
    index_.erase(entry.hash, index);
    entry.state = State::unused;
    entry.route = {};
    entries_.free(index);
}

}  // namespace posthaste
