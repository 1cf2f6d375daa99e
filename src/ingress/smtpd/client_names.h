// ingress/smtpd/client_names.h: clients' host names by address, asked of rewrite and remembered as
// long as it says. Bounded: kNamesMax names, kQuestionsMax questions under way; beyond that, or
// without rewrite, a client is "unknown".
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ip_address.h"

#include "mail/wire/resolve.h"
#include "runtime/loop.h"
#include "runtime/peers.h"

namespace posthaste::smtpd {

struct IpAddressHash {
    size_t operator()(const IpAddress& address) const noexcept {
        const std::string_view bytes(reinterpret_cast<const char*>(address.bytes.data()),
                                     address.v6 ? 16 : 4);
        return std::hash<std::string_view>{}(bytes);
    }
};

class ClientNames {
 public:
    static constexpr std::string_view kUnknown = "unknown";
    static constexpr size_t kNamesMax = 16 * 1024;
    static constexpr size_t kQuestionsMax = 4 * 1024;

    class Asker {
     public:
        virtual void on_client_name(std::string_view name) = 0;

     protected:
        ~Asker() = default;
    };

    explicit ClientNames(Loop& loop) : loop_(loop) {}

    // True: on_client_name() will be called, once, later. False: `name` is the answer.
    bool ask(const IpAddress& address, Asker& asker, std::string_view& name);
    // It does not want to know any more.
    void forget(Asker& asker);

    void on_rewrite_up(Peer& rewrite) { rewrites_.push_back(&rewrite); }

    void on_rewrite_down(Peer& rewrite);
    void on_reply(Peer& rewrite, const wire::ClientNameReply& reply);

 private:
    struct Name {
        std::string text;
        int64_t expires_us;
    };

    struct Question {
        IpAddress address;
        Peer* rewrite;
        std::vector<Asker*> askers;
    };

    using Questions = std::unordered_map<uint64_t, Question>;

    void remember(const IpAddress& address, std::string_view name, uint32_t ttl_s);
    void answer(Questions::iterator question, std::string_view name);

    Loop& loop_;
    std::vector<Peer*> rewrites_;
    std::unordered_map<IpAddress, Name, IpAddressHash> names_;
    Questions questions_;
    std::unordered_map<IpAddress, uint64_t, IpAddressHash> asked_;  // cookies of questions_
    uint64_t cookie_ = 0;
};

}  // namespace posthaste::smtpd
