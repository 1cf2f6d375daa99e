// cleanup/rewrite/unbound_resolver.h: the Resolver that asks the world, through libunbound: its own
// cache, its own recursion when there are no forwarders, its own thread. The thread's results come
// over a pipe that the loop watches; callbacks run on the loop's thread only. It has no bound: whoever
// asks keeps to one (question_budget.h), since beyond 2048 questions libunbound pushes older ones out.
//
// Made after the sandbox's file and network walls stand and before its system call filter
// (service_main.h `make`): start() creates the thread. Reads no files: servers are given.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"

#include "runtime/loop.h"

#include "cleanup/rewrite/resolver.h"

struct ub_ctx;
struct ub_result;

namespace posthaste::rewrite {

class UnboundResolver final : public Resolver {
 public:
    struct Options {
        std::vector<Endpoint> forwarders;  // none: recursion from the root
        // DNSKEY or DS records in text form; none: nothing is validated. An answer below them that
        // does not validate is a failed look-up. A forwarder that strips signatures (a home router,
        // an old site server) leaves us with what it says; when we ask the world ourselves, a zone
        // whose signatures are missing fails.
        std::vector<std::string> trust_anchors;
    };

    static Result<std::unique_ptr<UnboundResolver>> start(Loop& loop, const Options& options);
    ~UnboundResolver() override;

    uint64_t mx(const std::string& domain, std::function<void(MxAnswer)> done) override;
    uint64_t addresses(const std::string& host, bool v6,
                       std::function<void(AddressAnswer)> done) override;
    uint64_t names(const IpAddress& address, std::function<void(NameAnswer)> done) override;
    void forget(uint64_t question) override;

 private:
    // Null result: no answer.
    using Done = std::function<void(const ub_result*)>;

    struct Query {
        UnboundResolver* resolver;
        uint64_t number;
        int async_id = 0;
        Done done;
    };

    // Outlives us until the loop has let go of it.
    struct Watch {
        explicit Watch(UnboundResolver* owner);
        void on_readable(const Event& event);
        UnboundResolver* resolver;
        Completion done;
    };

    explicit UnboundResolver(Loop& loop);
    uint64_t ask(const std::string& name, int type, Done done);
    void on_failures();
    static void on_answer(void* query, int error, ub_result* result);

    Loop& loop_;
    ub_ctx* context_ = nullptr;
    Watch* watch_;
    uint64_t last_ = 0;
    std::unordered_map<uint64_t, std::unique_ptr<Query>> open_;
    // Refused by libunbound: told later, never from inside the call.
    std::map<uint64_t, std::unique_ptr<Query>> failed_;
    Timer failure_timer_;
};

}  // namespace posthaste::rewrite
