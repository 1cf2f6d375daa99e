#include "ingress/smtpd/client_names.h"

#include <algorithm>
#include <utility>

#include "base/units.h"

#include "mail/address.h"

namespace posthaste::smtpd {

bool ClientNames::ask(const IpAddress& address, Asker& asker, std::string_view& name) {
    name = kUnknown;
    if (const auto known = names_.find(address); known != names_.end()) {
        if (known->second.expires_us > loop_.now_us()) {
            name = known->second.text;
            return false;
        }
        names_.erase(known);
    }
    if (const auto asked = asked_.find(address); asked != asked_.end()) {
        questions_.find(asked->second)->second.askers.push_back(&asker);
        return true;
    }
    if (rewrites_.empty() || questions_.size() >= kQuestionsMax) return false;
    wire::ClientNameRequest request;
    request.cookie = ++cookie_;
    request.v6 = address.v6;
    request.address = address.bytes;
    Peer& rewrite = *rewrites_[cookie_ % rewrites_.size()];
    if (!rewrite.send(request)) return false;
    questions_.emplace(request.cookie, Question{address, &rewrite, {&asker}});
    asked_.emplace(address, request.cookie);
    return true;
}

void ClientNames::forget(Asker& asker) {
    for (auto& [cookie, question] : questions_) std::erase(question.askers, &asker);
}

void ClientNames::on_rewrite_down(Peer& rewrite) {
    std::erase(rewrites_, &rewrite);
    std::vector<uint64_t> lost;
    for (const auto& [cookie, question] : questions_) {
        if (question.rewrite == &rewrite) lost.push_back(cookie);
    }
    std::sort(lost.begin(), lost.end());
    for (const uint64_t cookie : lost) {
        if (const auto question = questions_.find(cookie); question != questions_.end())
            answer(question, kUnknown);
    }
}

void ClientNames::on_reply(Peer& rewrite, const wire::ClientNameReply& reply) {
    const auto question = questions_.find(reply.cookie);
    if (question == questions_.end() || question->second.rewrite != &rewrite) return;
    // It goes into log lines and Received: fields.
    const std::string_view name = is_valid_hostname(reply.name) ? reply.name : kUnknown;
    remember(question->second.address, name, reply.ttl_s);
    answer(question, name);
}

void ClientNames::remember(const IpAddress& address, std::string_view name, uint32_t ttl_s) {
    constexpr int64_t kTtlMinS = 5;  // a client that reconnects at once need not ask again
    constexpr int64_t kTtlMaxS = 3600;
    const int64_t now_us = loop_.now_us();
    if (names_.size() >= kNamesMax) {
        std::erase_if(names_,
                      [now_us](const auto& entry) { return entry.second.expires_us <= now_us; });
    }
    if (names_.size() >= kNamesMax) names_.clear();
    const int64_t ttl_us = std::clamp<int64_t>(ttl_s, kTtlMinS, kTtlMaxS) * kSecondUs;
    names_.insert_or_assign(address, Name{std::string(name), now_us + ttl_us});
}

// Askers may ask again, or be gone after the call: nothing of the question is touched behind it.
void ClientNames::answer(Questions::iterator question, std::string_view name) {
    const std::string copy(name);
    std::vector<Asker*> askers = std::move(question->second.askers);
    asked_.erase(question->second.address);
    questions_.erase(question);
    for (Asker* asker : askers) asker->on_client_name(copy);
}

}  // namespace posthaste::smtpd
