// ingress/smtpd/smtpd_service.h: the SMTP server process: accepts clients, holds their sessions,
// hands their messages to cleanup and passes the answer on.
//
//   clients ── SMTP ──► here ── SubmitMessage, LeaseRequest ──► cleanup ──► store
//                       here ◄── SubmitResult, LeaseGrant ───── cleanup
//                       here ◄── ClientNameRequest, Reply ────► rewrite
//   our arena: read in place by cleanup and the store
//
// Clients are accepted once the first message ids are there and a store knows our arena, or
// kStartPatienceUs after the first listening socket: whoever connects to a system that is just
// starting waits in the kernel's queue instead of being refused.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/service.h"

#include "ingress/smtpd/client_session.h"
#include "ingress/smtpd/smtpd_settings.h"

namespace posthaste::smtpd {

class SmtpdService final : public Service, private ClientSession::Owner {
 public:
    // What of main.cf this process lives by. Opens files: for the prepare stage. Nothing: `why_not`
    // says why; warnings are for the log.
    static std::optional<SmtpdSettings> read_settings(const Settings& settings,
                                                      std::vector<std::string>& warnings,
                                                      std::string& why_not);

    // `world.arena` must be there.
    SmtpdService(World& world, SmtpdSettings settings);
    ~SmtpdService() override;

    void attach(Peers& peers) override { peers_ = &peers; }

    void on_listener(std::string_view name, Socket listener) override;
    void on_settings(const Settings& settings) override;
    void on_drain() override;
    void on_retire() override;
    bool is_idle() const override;

    void on_peer_up(Peer& peer) override;
    void on_peer_down(Peer& peer) override;
    void on_record(Peer& peer, uint16_t type, std::string_view body) override;
    void on_room(Peer& peer) override;
    void on_forgotten(Peer& reader, uint32_t incarnation) override;

 private:
    static constexpr int64_t kStartPatienceUs = 10 * kSecondUs;
    static constexpr int64_t kAcceptAgainUs = kSecondUs;
    // Beyond smtpd_session_limit this many may be told so; others are dropped without a word.
    static constexpr size_t kTurnedAwayMax = 64;

    struct Listener {
        Listener(SmtpdService& its_service, std::string_view its_name, Socket its_socket);
        void on_accept(const Event& event);
        SmtpdService& service;
        std::string name;
        Socket socket;
        Completion accepted;
    };

    void start_accepting();
    void accept_if_ready();
    void on_accept_timer();
    void on_accepted(Listener& listener, Socket socket);
    void on_gone(ClientSession& session) override;
    size_t connections_from(const IpAddress& address) const;
    bool on_cleanup_record(Peer& cleanup, uint16_t type, std::string_view body);

    void count(SmtpdCounter counter, uint64_t amount = 1) {
        counters_.add(static_cast<size_t>(counter), amount);
    }

    World& world_;
    Counters counters_;
    SmtpdSettings settings_;
    Peers* peers_ = nullptr;
    MessageMemory memory_;
    IdLeases ids_;
    ClientNames names_;
    Submissions submissions_;
    Shared shared_;
    bool accepting_ = false;
    bool has_ids_ = false;  // the first ones came
    void stop_accepting();

    bool draining_ = false;
    bool retiring_ = false;  // of draining_: sessions go on, and so does who was just accepted
    Timer accept_timer_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::vector<std::unique_ptr<ClientSession>> sessions_;
    std::unordered_map<IpAddress, uint32_t, IpAddressHash> connections_from_;
    wire::SubmitResult result_;  // reused
};

}  // namespace posthaste::smtpd
