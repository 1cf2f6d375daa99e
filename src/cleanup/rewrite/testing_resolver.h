// cleanup/rewrite/testing_resolver.h: a Resolver that knows what it was told, for *_test.cpp and
// the simulation. What it does not know does not exist. Header only.
#pragma once

#include <map>
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

    void mx(const std::string& domain, std::function<void(MxAnswer)> done) override {
        questions.push_back("MX " + domain);
        pending_.push_back([this, domain, done] {
            const auto found = mx_.find(domain);
            if (failing_.contains(domain)) return done({DnsStatus::failed, 0, {}, 0});
            if (found != mx_.end()) return done(found->second);
            done({exists_.contains(domain) ? DnsStatus::no_data : DnsStatus::no_such_name,
                  60,
                  {},
                  0});
        });
    }

    void addresses(const std::string& host, bool v6,
                   std::function<void(AddressAnswer)> done) override {
        questions.push_back((v6 ? "AAAA " : "A ") + host);
        pending_.push_back([this, host, v6, done] {
            const auto found = addresses_.find({host, v6});
            if (failing_.contains(host)) return done({DnsStatus::failed, 0, {}});
            if (found != addresses_.end()) return done(found->second);
            done({exists_.contains(host) ? DnsStatus::no_data : DnsStatus::no_such_name, 60, {}});
        });
    }

    void names(const IpAddress& address, std::function<void(NameAnswer)> done) override {
        questions.push_back("PTR " + address.text());
        pending_.push_back([this, text = address.text(), done] {
            const auto found = names_.find(text);
            if (failing_.contains(text)) return done({DnsStatus::failed, 0, {}});
            if (found != names_.end()) return done(found->second);
            done({DnsStatus::no_such_name, 60, {}});
        });
    }

    // Answers what was asked, and what is asked meanwhile. Without it, questions stay open.
    void answer_all() {
        while (!pending_.empty()) {
            for (auto& answer : std::exchange(pending_, {})) answer();
        }
    }

    bool has_pending() const { return !pending_.empty(); }

    std::vector<std::string> questions;

 private:
    std::map<std::string, MxAnswer> mx_;
    std::map<std::pair<std::string, bool>, AddressAnswer> addresses_;
    std::map<std::string, NameAnswer> names_;
    std::map<std::string, bool> exists_;
    std::map<std::string, bool> failing_;
    std::vector<std::function<void()>> pending_;
};

}  // namespace posthaste::rewrite
