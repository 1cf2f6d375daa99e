// cleanup/rewrite/testing_resolver.h: a Resolver that knows what it was told, for *_test.cpp and
// the simulation. What it does not know does not exist. Header only.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cleanup/rewrite/resolver.h"

namespace posthaste::rewrite {

class TestingResolver final : public Resolver {
 public:
    void has_mx(const std::string& domain, std::vector<MxRecord> records) {
        mx_[domain] = {DnsStatus::ok, 600, std::move(records), 0};
        exists_[domain] = true;
    }

    void has_address(const std::string& host, std::string_view address) {
        const IpAddress ip = *IpAddress::parse(address);
        AddressAnswer& answer = addresses_[{host, ip.v6}];
        answer.status = DnsStatus::ok;
        answer.ttl_s = 300;
        answer.addresses.push_back(ip);
        exists_[host] = true;
    }

    void has_name(std::string_view address, std::string name) {
        names_[std::string(address)] = {DnsStatus::ok, 900, {std::move(name)}};
    }

    // Questions of that name fail for now.
    void fails(const std::string& name) { failing_[name] = true; }

    // Questions of that name are never answered.
    void is_silent(const std::string& name) { silent_[name] = true; }

    uint64_t mx(const std::string& domain, std::function<void(MxAnswer)> done) override {
        questions.push_back("MX " + domain);
        return pend(domain, [this, domain, done] {
            const auto found = mx_.find(domain);
            if (failing_.contains(domain)) return done({DnsStatus::failed, 0, {}, 0});
            if (found != mx_.end()) return done(found->second);
            done({exists_.contains(domain) ? DnsStatus::no_data : DnsStatus::no_such_name,
                  60,
                  {},
                  0});
        });
    }

    uint64_t addresses(const std::string& host, bool v6,
                       std::function<void(AddressAnswer)> done) override {
        questions.push_back((v6 ? "AAAA " : "A ") + host);
        return pend(host, [this, host, v6, done] {
            const auto found = addresses_.find({host, v6});
            if (failing_.contains(host)) return done({DnsStatus::failed, 0, {}});
            if (found != addresses_.end()) return done(found->second);
            done({exists_.contains(host) ? DnsStatus::no_data : DnsStatus::no_such_name, 60, {}});
        });
    }

    uint64_t names(const IpAddress& address, std::function<void(NameAnswer)> done) override {
        questions.push_back("PTR " + address.text());
        return pend(address.text(), [this, text = address.text(), done] {
            const auto found = names_.find(text);
            if (failing_.contains(text)) return done({DnsStatus::failed, 0, {}});
            if (found != names_.end()) return done(found->second);
            done({DnsStatus::no_such_name, 60, {}});
        });
    }

    void forget(uint64_t question) override {
        pending_.erase(question);
        unanswered_.erase(question);
    }

    // Answers what was asked, and what is asked meanwhile. Without it, questions stay open.
    void answer_all() {
        while (!pending_.empty()) {
            const auto next = pending_.extract(pending_.begin());
            next.mapped()();
        }
    }

    bool has_pending() const { return !pending_.empty(); }

    size_t unanswered() const { return unanswered_.size(); }

    std::vector<std::string> questions;

 private:
    uint64_t pend(const std::string& name, std::function<void()> answer) {
        ++last_;
        if (silent_.contains(name)) {
            unanswered_.insert(last_);
        } else {
            pending_.emplace(last_, std::move(answer));
        }
        return last_;
    }

    uint64_t last_ = 0;
    std::map<std::string, bool> silent_;
    std::set<uint64_t> unanswered_;
    std::map<std::string, MxAnswer> mx_;
    std::map<std::pair<std::string, bool>, AddressAnswer> addresses_;
    std::map<std::string, NameAnswer> names_;
    std::map<std::string, bool> exists_;
    std::map<std::string, bool> failing_;
    std::map<uint64_t, std::function<void()>> pending_;
};

}  // namespace posthaste::rewrite
