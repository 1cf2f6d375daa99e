// tests/hostile/attacks.h: how the attacks of each layer are found by name; within the folder.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "hostile/puppet.h"

namespace posthaste::hostile {

// For a peer that is busy; one that closes does so at once.
inline constexpr int kAnswerMs = 10'000;
// For one that should not mind.
inline constexpr int kCalmMs = 50;

template <class Function>
struct Named {
    std::string_view name;
    Function function;
};

template <class Function, size_t kCount>
const Function* find_named(const Named<Function> (&all)[kCount], std::string_view name) {
    for (const Named<Function>& each : all) {
        if (each.name == name) return &each.function;
    }
    return nullptr;
}

std::optional<std::string> handshake_attack(Puppet& puppet, Role role, std::string_view name);
std::string handshake_attacks_on(Role own, Role role);
std::optional<std::string> ring_attack(Puppet& puppet, Role role, std::string_view name);
std::string ring_attacks();
std::optional<std::string> record_attack(Puppet& puppet, Role role, std::string_view name);
std::string record_attacks_on(Role role);
std::optional<std::string> report_attack(Puppet& puppet, std::string_view name);
std::string report_attacks();

// The store reads the arenas of some, and lends its own to others, and that is all.
inline bool has_rings(Role own, Role role) { return role != Role::store || own == Role::cleanup; }

}  // namespace posthaste::hostile
