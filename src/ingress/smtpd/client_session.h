// ingress/smtpd/client_session.h: one client: its connection, its conversation, its message in the
// arena. Gives Session the world it asks for.
//
//   accepted ──begin()──► naming ──name, or patience──► talking ──► closing ──► Owner::on_gone()
//
// What it may wait for, one at a time, and what the end of patience does:
//   name      the client's host name from rewrite                "unknown" instead
//   rest      smtpd_error_sleep_time                             goes on
//   room      a block of the arena, in the middle of a message   452 4.3.1 behind the message
//   cleanup   a cleanup that takes the whole message             451 4.3.0
// Meanwhile the client is not read from and no silence is held against it. The answer of a cleanup
// that holds the message has no limit of ours: cleanup answers or dies.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/connection.h"
#include "runtime/counters.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/timer_wheel.h"

#include "ingress/smtpd/client_names.h"
#include "ingress/smtpd/id_leases.h"
#include "ingress/smtpd/message_blocks.h"
#include "ingress/smtpd/session.h"
#include "ingress/smtpd/smtpd_settings.h"
#include "ingress/smtpd/submissions.h"

namespace posthaste::smtpd {

// What all sessions of a process share.
struct Shared {
    Loop& loop;
    Log& log;
    Counters& counters;
    SmtpdSettings& settings;
    MessageMemory& memory;
    IdLeases& ids;
    ClientNames& names;
    Submissions& submissions;
    std::string scratch;
};

class ClientSession final : private SessionWorld,
                            private Connection::Handler,
                            private ClientNames::Asker,
                            private MessageMemory::Waiter,
                            private Submissions::Submitter {
 public:
    class Owner {
     public:
        // The last call; it may be deleted in there.
        virtual void on_gone(ClientSession& session) = 0;

     protected:
        ~Owner() = default;
    };

    ClientSession(Shared& shared, Owner& owner, Socket socket);
    ~ClientSession();

    void begin();
    // Instead of begin(): says why not, and goes.
    void turn_away(std::string_view reply);
    // 421 now, or behind the transaction that is under way.
    void shut_down();

    const Endpoint& client() const noexcept { return client_; }

    size_t position = 0;  // the owner's: where in its list this is

 private:
    static constexpr int64_t kNamePatienceUs = 15 * kSecondUs;
    static constexpr int64_t kRoomPatienceUs = 10 * kSecondUs;
    static constexpr int64_t kCleanupPatienceUs = 10 * kSecondUs;
    enum class Wait : uint8_t { nothing, name, rest, room, cleanup };

    // SessionWorld
    void reply(std::string_view lines) override;
    bool can_reply() const override;
    void log(std::string_view line) override;
    void warn(std::string_view line) override;
    void count(SmtpdCounter counter, uint64_t amount) override;
    int64_t wall_us() const override;
    MessageId take_id() override;
    bool is_short_of_memory() const override;
    bool can_append() override;
    void append(std::string_view bytes) override;
    void drop_message() override;
    void submit(const Envelope& envelope) override;
    void rest_for(int64_t duration_us) override;
    void close() override;
    std::string& scratch() override;

    // Connection::Handler
    size_t on_bytes(std::string_view bytes) override;
    void on_end(Connection::End reason, int os_errno) override;
    void on_sent() override;
    void on_closed() override;

    void on_client_name(std::string_view name) override;
    void on_room() override;
    void on_answer(uint16_t code, std::string_view dsn, std::string_view text) override;
    void on_ready() override;

    void greet(std::string_view name);
    void try_submit();
    void wait_for(Wait what, int64_t patience_us);
    void stop_waiting();
    void on_patience_over();
    // After whatever may have changed it: reads from the client or not, holds silence against it or
    // not.
    void set_reading();
    int64_t silence_ends_us();

    Shared& shared_;
    Owner& owner_;
    Endpoint client_;
    Session session_;
    Connection connection_;
    MessageBlocks blocks_;
    const Envelope* unsubmitted_ = nullptr;  // the session's, while it waits for room or cleanup
    Submissions::Number submission_ = Submissions::kNone;
    int64_t submitted_us_ = 0;
    int64_t request_ends_us_ = 0;  // of the message that comes in; 0: not begun
    size_t content_bytes_ = 0;     // of it, since the deadline was set
    Wait waits_for_ = Wait::nothing;
    Timer patience_;
};

}  // namespace posthaste::smtpd
