// egress/smtp/link.h: one connection to one server: connect with its deadline, then Connection and
// ClientSession put together. Made by a Lane; outlives it while the kernel still holds its
// completions, and then goes by itself.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "runtime/connection.h"
#include "runtime/loop.h"

#include "egress/smtp/client_session.h"
#include "egress/smtp/smtp_config.h"

namespace posthaste::smtp {

class Link final : private Connection::Handler, private ClientSession::Line {
 public:
    // The lane's side of the link. After on_link_dead(), on_link_short() or on_link_left() the link
    // calls nothing of it any more.
    class User {
     public:
        virtual void on_link_ready() = 0;  // the session can take a job
        virtual void on_job_done(Job& job) = 0;
        virtual void on_job_returned(Job& job) = 0;
        virtual void on_link_note(std::string_view text) = 0;
        virtual void on_link_warning(std::string_view text) = 0;
        // was_ready: the server had taken our EHLO, or had said nothing against it.
        virtual void on_link_dead(const DeliveryStatus& refusal, bool was_ready) = 0;
        // Instead of that, before anything was sent: this machine could not make a connection.
        virtual void on_link_short(int os_errno) = 0;
        // After leave(): the server has answered QUIT or is gone.
        virtual void on_link_left() = 0;

     protected:
        ~User() = default;
    };

    // Takes the link's memory back when nothing of it is in flight.
    class Keeper {
     public:
        virtual void on_link_gone(Link& link) = 0;

     protected:
        ~Keeper() = default;
    };

    Link(Loop& loop, const SmtpConfig& config, std::string host_name, const Endpoint& endpoint,
         std::string nexthop, User& user, Keeper& keeper);
    ~Link();

    void connect();

    ClientSession* session() noexcept { return session_ ? &*session_ : nullptr; }

    void leave();    // QUIT, only when the session is idle; the user hears on_link_left()
    void forget();   // the same if it can be, and the user hears no more
    void abandon();  // at once; the user hears no more

    bool is_ready() const noexcept { return session_ && session_->was_ready(); }

    const std::string& relay() const noexcept { return relay_; }  // "mx[192.0.2.1]:25"

    int64_t connect_began_wall_us() const noexcept { return connect_began_wall_us_; }

    int64_t connect_began_us() const noexcept { return connect_began_us_; }

    int64_t ready_wall_us() const noexcept { return ready_wall_us_; }

    // Why a connect failed, as Postfix logs it: "connect to mx[192.0.2.1]:25: Connection refused".
    const std::string& connect_failure() const noexcept { return connect_failure_; }

 private:
    void on_connected(const Event& event);
    void on_connect_timeout();
    void hang_up();

    // Connection::Handler
    size_t on_bytes(std::string_view bytes) override;
    void on_end(Connection::End reason, int os_errno) override;
    void on_sent() override;
    void on_send_progress() override;
    void on_closed() override;
    // ClientSession::Line
    void send(std::string_view text) override;
    void send_borrowed(std::string_view bytes) override;
    uint64_t output_mark() const override;
    bool is_taken(uint64_t mark) const override;
    void wait_at_most(int64_t timeout_us) override;
    void on_ready() override;
    void on_job_done(Job& job) override;
    void on_job_returned(Job& job) override;
    void on_note(std::string_view text) override;
    void on_warning(std::string_view text) override;
    void on_dead(const DeliveryStatus& refusal) override;

    Loop& loop_;
    const SmtpConfig& config_;
    std::string host_name_;
    Endpoint endpoint_;
    std::string nexthop_;
    std::string relay_;
    std::string connect_failure_;
    User* user_;
    Keeper& keeper_;
    Completion connect_done_;
    Timer connect_timer_;
    bool timed_out_ = false;
    bool leaving_ = false;
    int64_t connect_began_us_ = 0;
    int64_t connect_began_wall_us_ = 0;
    int64_t ready_wall_us_ = 0;
    std::optional<Connection> connection_;
    std::optional<ClientSession> session_;
};

}  // namespace posthaste::smtp
