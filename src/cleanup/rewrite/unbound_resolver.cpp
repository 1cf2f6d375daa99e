#include "cleanup/rewrite/unbound_resolver.h"

#include <algorithm>
#include <cerrno>
#include <unbound.h>
#include <utility>

#include "base/strings.h"

#include "cleanup/rewrite/dns_data.h"

namespace posthaste::rewrite {
namespace {

constexpr int kTypeA = 1;
constexpr int kTypePtr = 12;
constexpr int kTypeMx = 15;
constexpr int kTypeAaaa = 28;
constexpr int kClassIn = 1;
constexpr int kRcodeServfail = 2;
constexpr int kRcodeNxdomain = 3;

DnsStatus status_of(const ub_result* result) noexcept {
    if (result == nullptr || result->bogus != 0 || result->rcode == kRcodeServfail)
        return DnsStatus::failed;
    if (result->nxdomain != 0 || result->rcode == kRcodeNxdomain) return DnsStatus::no_such_name;
    if (result->rcode != 0) return DnsStatus::failed;
    return result->havedata != 0 ? DnsStatus::ok : DnsStatus::no_data;
}

uint32_t ttl_of(const ub_result* result) noexcept {
    return result == nullptr ? 0 : static_cast<uint32_t>(std::max(result->ttl, 0));
}

template <class Visit>
void each_record(const ub_result* result, Visit visit) {
    for (size_t i = 0; i < kRecordsMax && result->data[i] != nullptr; ++i) {
        visit(std::string_view(result->data[i], static_cast<size_t>(result->len[i])));
    }
}

struct Option {
    const char* name;
    const char* value;
};

constexpr Option kOptions[] = {
    // Forwarders and test servers live on this machine as often as not.
    {"do-not-query-localhost:", "no"},
    // Clients have private addresses, and the site's own server knows their names.
    {"unblock-lan-zones:", "yes"},
    {"insecure-lan-zones:", "yes"},
    // What is forgotten here goes on there for a while.
    {"num-queries-per-thread:", "2048"},
    {"outgoing-range:", "2048"},
    // A server that was away for a moment is asked again soon.
    {"infra-host-ttl:", "60"},
    {"infra-keep-probing:", "yes"},
};

}  // namespace

UnboundResolver::Watch::Watch(UnboundResolver* owner)
    : resolver(owner), done(runner_of<&Watch::on_readable, Watch>(), this) {}

void UnboundResolver::Watch::on_readable(const Event& event) {
    if (resolver == nullptr) {
        if (event.last) delete this;
        return;
    }
    if (event.last && event.result != -ECANCELED)
        resolver->loop_.watch(done, ub_fd(resolver->context_));
    ub_process(resolver->context_);
}

UnboundResolver::UnboundResolver(Loop& loop)
    : loop_(loop),
      watch_(new Watch(this)),
      failure_timer_(timer_calls<&UnboundResolver::on_failures, UnboundResolver>(), this) {}

UnboundResolver::~UnboundResolver() {
    if (context_ != nullptr) ub_ctx_delete(context_);
    watch_->resolver = nullptr;
    if (watch_->done.in_flight()) {
        loop_.cancel(watch_->done);
    } else {
        delete watch_;
    }
}

Result<std::unique_ptr<UnboundResolver>> UnboundResolver::start(Loop& loop,
                                                                const Options& options) {
    std::unique_ptr<UnboundResolver> out(new UnboundResolver(loop));
    out->context_ = ub_ctx_create();
    if (out->context_ == nullptr) return Error{Errc::unsupported, 0, "create resolver"};
    ub_ctx* const context = out->context_;
    ub_ctx_debugout(context, nullptr);
    for (const Option& option : kOptions) {
        if (ub_ctx_set_option(context, option.name, option.value) != 0) {
            return Error{Errc::unsupported, 0, option.name};
        }
    }
    if (!options.forwarders.empty() &&
        ub_ctx_set_option(context, "harden-dnssec-stripped:", "no") != 0) {
        return Error{Errc::unsupported, 0, "harden-dnssec-stripped:"};
    }
    for (const std::string& anchor : options.trust_anchors) {
        if (ub_ctx_add_ta(context, anchor.c_str()) != 0)
            return Error{Errc::invalid_setting, 0, "take trust anchor"};
    }
    for (const Endpoint& server : options.forwarders) {
        const std::string text = server.ip.text() + "@" + std::to_string(server.port);
        if (ub_ctx_set_fwd(context, text.c_str()) != 0)
            return Error{Errc::invalid_setting, 0, "set name server"};
    }
    if (ub_ctx_async(context, 1) != 0) return Error{Errc::unsupported, 0, "start resolver"};
    // libunbound answers for it by itself (RFC 6761), but a site's server may well have such names.
    if (ub_ctx_zone_remove(context, "test.") != 0)
        return Error{Errc::unsupported, 0, "configure resolver"};
    loop.watch(out->watch_->done, ub_fd(context));
    // The first question starts the thread; this one it answers by itself.
    out->ask("localhost", kTypeA, [](const ub_result*) {});
    return out;
}

// ---- questions

uint64_t UnboundResolver::ask(const std::string& name, int type, Done done) {
    auto query = std::make_unique<Query>(Query{this, ++last_, 0, std::move(done)});
    Query* const it = query.get();
    const int status = ub_resolve_async(context_, name.c_str(), type, kClassIn, it,
                                        &UnboundResolver::on_answer, &it->async_id);
    if (status == 0) {
        open_.emplace(it->number, std::move(query));
    } else {
        failed_.emplace(it->number, std::move(query));
        loop_.timers().set(failure_timer_, loop_.now_us());
    }
    return it->number;
}

void UnboundResolver::forget(uint64_t question) {
    failed_.erase(question);
    const auto found = open_.find(question);
    if (found == open_.end()) return;
    // After this libunbound calls on_answer() for it no more.
    ub_cancel(context_, found->second->async_id);
    open_.erase(found);
}

void UnboundResolver::on_failures() {
    while (!failed_.empty()) {
        const auto node = failed_.extract(failed_.begin());
        node.mapped()->done(nullptr);
    }
}

void UnboundResolver::on_answer(void* data, int error, ub_result* result) {
    Query* const query = static_cast<Query*>(data);
    UnboundResolver& self = *query->resolver;
    const auto found = self.open_.find(query->number);
    const std::unique_ptr<Query> owner = std::move(found->second);
    self.open_.erase(found);
    owner->done(error == 0 ? result : nullptr);
    ub_resolve_free(result);
}

// ---- answers

uint64_t UnboundResolver::mx(const std::string& domain, std::function<void(MxAnswer)> done) {
    return ask(domain, kTypeMx, [done = std::move(done)](const ub_result* result) {
        MxAnswer out{status_of(result), ttl_of(result), {}, 0};
        if (out.status == DnsStatus::ok) {
            each_record(result, [&](std::string_view data) {
                if (auto record = read_mx(data)) {
                    out.records.push_back(std::move(*record));
                } else {
                    ++out.unusable;
                }
            });
        }
        done(std::move(out));
    });
}

uint64_t UnboundResolver::addresses(const std::string& host, bool v6,
                                    std::function<void(AddressAnswer)> done) {
    return ask(host, v6 ? kTypeAaaa : kTypeA,
               [v6, done = std::move(done)](const ub_result* result) {
                   AddressAnswer out{status_of(result), ttl_of(result), {}};
                   if (out.status == DnsStatus::ok) {
                       each_record(result, [&](std::string_view data) {
                           if (const auto address = read_address(data, v6))
                               out.addresses.push_back(*address);
                       });
                       if (out.addresses.empty()) out.status = DnsStatus::no_data;
                   }
                   done(std::move(out));
               });
}

uint64_t UnboundResolver::names(const IpAddress& address, std::function<void(NameAnswer)> done) {
    return ask(reverse_name(address), kTypePtr, [done = std::move(done)](const ub_result* result) {
        NameAnswer out{status_of(result), ttl_of(result), {}};
        if (out.status == DnsStatus::ok) {
            each_record(result, [&](std::string_view data) {
                std::string_view rest;
                auto name = read_dns_name(data, rest);
                if (name && is_host_name(*name)) out.names.push_back(std::move(*name));
            });
            if (out.names.empty()) out.status = DnsStatus::no_data;
        }
        done(std::move(out));
    });
}

}  // namespace posthaste::rewrite
