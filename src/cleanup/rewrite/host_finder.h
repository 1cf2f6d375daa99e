// cleanup/rewrite/host_finder.h: asks a Resolver what a next hop's hosts are. One search walks the
// list of next hops:
//
//   next hop ─► address literal ─────────────────────────────────────────────► its hosts
//            ├► [host] ──► A, AAAA ──────────────────────────────────────────►
//            └► domain ──► MX ─┬► hosts: A, AAAA of each, all at once ───────►
//                              ├► no MX: A, AAAA of the domain ──────────────►
//                              └► null MX, no such name, failure ─► none, and why
//
// then goes on with the next one; fallback hops are left out when we are among the MX ourselves. A
// search is bounded by kSearchTimeoutUs: what has been found until then counts, or mail waits. What
// is still open then is forgotten.
//
// Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/loop.h"

#include "cleanup/rewrite/host_selection.h"
#include "cleanup/rewrite/hosts_file.h"
#include "cleanup/rewrite/next_hop.h"
#include "cleanup/rewrite/resolver.h"

namespace posthaste::rewrite {

class HostFinder {
 public:
    static constexpr int64_t kSearchTimeoutUs = 30 * kSecondUs;
    using Done = std::function<void(FoundHosts)>;

    HostFinder(Loop& loop, Resolver& resolver, const HostsFile& hosts_file);
    ~HostFinder();

    void set_policy(HostPolicy policy) { policy_ = std::move(policy); }

    const HostPolicy& policy() const noexcept { return policy_; }

    // `done` is called once; at once, from inside, when nothing need be asked.
    void find(const std::string& next_hop, bool with_fallback, Done done);

    size_t searches() const noexcept { return searches_.size(); }

 private:
    struct Search {
        Search(HostFinder& finder, uint64_t search_number);

        HostFinder& finder;
        uint64_t number;
        std::vector<NextHop> hops;
        size_t fallback_begin = 0;
        size_t hop = 0;
        FoundHosts found;    // hosts so far
        FoundHosts refusal;  // why there were none, so far
        MxAnswer mx;         // of the present hop
        std::vector<HostAnswers> answers;
        size_t outstanding = 0;
        std::vector<uint64_t> questions;  // of the present hop
        Done done;
        Timer timer;
        void on_timeout();
    };

    // A question's place in its search: late answers must not be taken for those of the next hop.
    struct Ticket {
        uint64_t search = 0;
        size_t hop = 0;
        size_t answer = 0;
    };

    Search* find_search(const Ticket& ticket);
    void step(Search& search);
    void on_mx(const Ticket& ticket, MxAnswer answer);
    void ask_addresses(Search& search, std::vector<MxRecord> hosts);
    void ask_family(Search& search, size_t answer, bool v6);
    void on_addresses(const Ticket& ticket, bool v6, AddressAnswer answer);
    void conclude_addresses(Search& search);
    void conclude_hop(Search& search, FoundHosts found);
    void finish(Search& search);

    Loop& loop_;
    Resolver& resolver_;
    const HostsFile& hosts_file_;
    HostPolicy policy_;
    std::unordered_map<uint64_t, std::unique_ptr<Search>> searches_;
    uint64_t next_number_ = 1;
};

}  // namespace posthaste::rewrite
