// cleanup/rewrite/rewrite_service.h: the process that knows where mail goes (trivial-rewrite).
//
//   qmgr, smtpd ── ResolveRequest ────► route (tables, at once) ─► hosts (cache, or one search for all who ask) ─► ResolveReply
//   smtpd ──────── ClientNameRequest ─► cache, or one search for all who ask ───────────────────────────► ClientNameReply
//
// Promises   every request is answered once, as long as its asker lives, within HostFinder::kSearchTimeoutUs. An answer is
//            good for its ttl_s.
// Bounds     kWaitersMax requests for hosts that wait for their searches: at that nothing more is taken from those who ask for
//            hosts. kNameSearchesMax searches for clients' names: beyond them a client has no name. Of what is open at the
//            name servers mail has kHostQuestionsMax, clients' names kNameQuestionsMax (question_budget.h). The caches hold
//            kCacheEntriesMax each, and are asked first, whatever waits.
// Deaths     an asker's: its searches go on and fill the cache. Ours: askers ask the next one again.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "mail/wire/resolve.h"
#include "runtime/answer_queue.h"
#include "runtime/service.h"

#include "cleanup/rewrite/client_namer.h"
#include "cleanup/rewrite/host_finder.h"
#include "cleanup/rewrite/question_budget.h"
#include "cleanup/rewrite/routing.h"
#include "cleanup/rewrite/ttl_cache.h"

namespace posthaste::rewrite {

// From the settings; what they can not say (own addresses) is given.
HostPolicy read_host_policy(const Settings& settings, std::vector<IpAddress> own_addresses);

struct RewriteParts {
    Routing routing;
    HostsFile hosts_file;
    std::vector<IpAddress> own_addresses;
    std::unique_ptr<Resolver> resolver;
};

class RewriteService final : public Service {
 public:
    static constexpr size_t kWaitersMax = 20'000;
    static constexpr size_t kNameSearchesMax = 1'000;
    static constexpr size_t kHostQuestionsMax = 700;
    static constexpr size_t kNameQuestionsMax = 200;
    static constexpr size_t kCacheEntriesMax = 20'000;

    RewriteService(World& world, RewriteParts parts);
    ~RewriteService() override;

    void attach(Peers& peers) override { peers_ = &peers; }

    // Tables in files are not read again (there is no file system): where that would be needed, the
    // old routing stays, and the log says so.
    void on_settings(const Settings& settings) override;

    void on_drain() override {}

    bool is_idle() const override;

    void on_peer_up(Peer& peer) override;
    void on_peer_down(Peer& peer) override;
    void on_record(Peer& peer, uint16_t type, std::string_view body) override;
    void on_room(Peer& peer) override;

 private:
    struct Waiter {
        uint32_t incarnation = 0;
        uint64_t cookie = 0;
        Route route;  // of a ResolveRequest
    };

    using Waiters = std::unordered_map<std::string, std::vector<Waiter>>;

    void on_resolve(AnswerQueue& from, std::string_view body);
    void on_client_name(AnswerQueue& from, std::string_view body);
    void wait(Waiters& all, const std::string& key, Waiter waiter,
              const std::function<void()>& start);
    std::vector<Waiter> take_waiters(Waiters& all, const std::string& key);
    void on_hosts(const std::string& key, FoundHosts found);
    void on_name(const std::string& key, ClientName name);

    void answer(AnswerQueue& to, uint64_t cookie, const Route& route, const FoundHosts& found,
                uint32_t ttl_s);
    void answer_without_hosts(AnswerQueue& to, uint64_t cookie, const Route& route);
    void answer_name(AnswerQueue& to, uint64_t cookie, const std::string& name, uint32_t ttl_s);
    AnswerQueue* asker(uint32_t incarnation) noexcept;
    void update_pauses();

    Loop& loop_;
    Log& log_;
    Peers* peers_ = nullptr;
    Counters counters_;
    Routing routing_;
    HostsFile hosts_file_;
    std::vector<IpAddress> own_addresses_;
    std::unique_ptr<Resolver> resolver_;
    QuestionBudget host_questions_;
    QuestionBudget name_questions_;
    HostFinder finder_;
    ClientNamer namer_;
    TtlCache<FoundHosts> hosts_cache_{kCacheEntriesMax};
    TtlCache<std::string> names_cache_{kCacheEntriesMax};
    Waiters hosts_waiters_;  // by next hop; an entry is a search under way
    Waiters name_waiters_;   // by address
    size_t waiters_ = 0;     // of both
    size_t host_waiters_ = 0;
    bool paused_ = false;  // who asks for hosts
    std::map<uint32_t, std::unique_ptr<AnswerQueue>> askers_;
    wire::ResolveReply reply_;  // kept for its memory
};

}  // namespace posthaste::rewrite
