// cleanup/rewrite/unbound_resolver.h: the Resolver that asks the world, through libunbound: its own
// cache, its own recursion when there are no forwarders, its own thread. The thread's results come
// over a pipe that the loop watches; callbacks run on the loop's thread only.
//
// Made after the sandbox's file and network walls stand and before its system call filter
// (service_main.h `make`): start() creates the thread. Reads no files: servers are given.
#pragma once

#include <deque>
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
    // Questions beyond this wait here: libunbound would push older ones out (num-queries-per-thread
    // is 1024).
    static constexpr size_t kOpenMax = 900;
    // A question that waited for its turn this long is answered "failed" without being asked: who
    // asked has given up, or soon will, and live questions stand behind it.
    static constexpr int64_t kWaitUsMax = 10 * kSecondUs;
    static constexpr size_t kWaitingMax = 16 * 1024;  // beyond these the same, at once

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

    void mx(const std::string& domain, std::function<void(MxAnswer)> done) override;
    void addresses(const std::string& host, bool v6,
                   std::function<void(AddressAnswer)> done) override;
    void names(const IpAddress& address, std::function<void(NameAnswer)> done) override;

 private:
    // Null result: no answer.
    using Done = std::function<void(const ub_result*)>;

    struct Query {
        UnboundResolver* resolver;
        std::string name;
        int type;
        Done done;
        int64_t since_us;
    };

    // Outlives us until the loop has let go of it.
    struct Watch {
        explicit Watch(UnboundResolver* owner);
        void on_readable(const Event& event);
        UnboundResolver* resolver;
        Completion done;
    };

    explicit UnboundResolver(Loop& loop);
    void ask(std::string name, int type, Done done);
    void ask_waiting();
    void fail(std::unique_ptr<Query> query);
    void on_failures();
    static void on_answer(void* query, int error, ub_result* result);

    Loop& loop_;
    ub_ctx* context_ = nullptr;
    Watch* watch_;
    std::unordered_map<Query*, std::unique_ptr<Query>> open_;
    std::deque<std::unique_ptr<Query>> waiting_;
    std::deque<std::unique_ptr<Query>>
        failed_;  // refused by libunbound: told later, never from inside the call
    Timer failure_timer_;
};

}  // namespace posthaste::rewrite
