// ingress/smtpd/session.h: the SMTP conversation of one client (RFC 5321), without sockets: bytes
// in, cut anywhere; replies out through SessionWorld.
//
//   waiting ──start()──► greeted ──HELO, EHLO──► ready
//                           └───────────┬───────────┘
//                                     MAIL
//                                       ▼
//                                     mail ──RCPT──► rcpt ──DATA──► data ──"."──► committing
//                                                     └───BDAT──► chunk ──LAST──────┘
//                                                                 │  ▲
//                                                                 ▼ BDAT
//                                                                 bdat
//
// RSET, HELO, EHLO and the answer to the message lead back to ready (greeted without HELO), by
// Transaction::reset(); so does whatever ends a transaction early. committing takes no input: the
// 250 waits for stable storage. MAIL is good in greeted too, unless smtpd_helo_required. bdat is
// "between chunks", also after a chunk that was refused; then only LAST, RSET, HELO and EHLO lead
// out of it.
//
// Owned by   whoever owns the client's connection. One thread.
// Promises   the same bytes mean the same message and replies however they are cut. But for what
//            RFC 2920 forbids: input that is already there where the client should have waited
//            (smtpd_forbid_unauth_pipelining).
// Does not   time anything: the world ends it by on_lost(), on_timeout(), shut_down().
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ip_address.h"

#include "mail/body_normalizer.h"
#include "mail/smtp_command.h"

#include "ingress/smtpd/session_world.h"
#include "ingress/smtpd/smtpd_settings.h"
#include "ingress/smtpd/transaction.h"

namespace posthaste::smtpd {

// Who is at the other end.
struct Client {
    std::string name = "unknown";
    IpAddress ip;
    IpAddress local_ip;  // the address of ours it connected to
    uint16_t port = 0;
};

class Session final : private ByteSink {
 public:
    Session(const SmtpdSettings& settings, SessionWorld& world)
        : settings_(settings), world_(world) {}

    // Greets. input_waits: the client spoke before the greeting.
    void start(Client client, bool input_waits);

    // Takes what it can from the front and says how much. What it leaves is a part of a line, or
    // waits until takes_input(). Never takes a part of a line but to throw it away.
    size_t consume(std::string_view bytes);
    // False while committing, resting, waiting for the greeting or for room: offering input is of
    // no use.
    bool takes_input() const;

    // The answer to SessionWorld::submit().
    void on_stored(uint16_t code, std::string_view dsn, std::string_view text);

    // The end of SessionWorld::rest_for().
    void on_rested() { resting_ = false; }

    // The arena stayed full for too long: the message is given up, the rest of it read and thrown
    // away.
    void on_memory_denied();

    // Each says goodbye where there is somebody to hear it, logs, and calls SessionWorld::close().
    void on_lost();
    void on_timeout();
    // 421 now, or behind the transaction that is under way.
    void shut_down();

    bool is_committing() const noexcept { return state_ == State::committing; }

    bool is_receiving_message() const noexcept {
        return state_ == State::data || state_ == State::chunk;
    }

    bool is_over() const noexcept { return state_ == State::over; }

    bool was_started() const noexcept { return state_ != State::waiting; }

    const Client& client() const noexcept { return client_; }

 private:
    // The first five take commands and are the columns of the command table.
    enum class State : uint8_t {
        greeted,
        ready,
        mail,
        rcpt,
        bdat,
        waiting,
        data,
        chunk,
        committing,
        over
    };
    static constexpr size_t kCommandStates = 5;
    enum class Done : uint8_t { ok, failed, later };

    struct Command {
        Verb verb;
        const char* log_name;  // in the disconnect line
        bool ends_group;       // RFC 2920: the client must wait for the reply
        bool is_junk;          // does not lead to a delivery: smtpd_junk_command_limit
        Done (Session::*run)(std::string_view argument);
        // The reply when the command comes out of order; null where it is in order.
        std::array<const char*, kCommandStates> refusals;
    };

    static const Command kCommands[];
    static constexpr size_t kCommandCount = 16;
    static const Command& command_of(Verb verb) noexcept;

    // session.cpp
    size_t take_line(std::string_view bytes);
    void on_line(std::string_view line, bool ended_with_bare_lf, std::string_view behind);
    void on_command(const CommandLine& command, std::string_view behind);
    bool is_forbidden(std::string_view word) const;
    bool is_out_of_step(const char* after, std::string_view behind);
    void finish(const Command& command, bool ok);
    void after_command();
    void count_error() noexcept;
    void reset_transaction();
    // smtpd_forbid_bare_newline for this client.
    BareNewline bare_newline() const noexcept;

    // commands.cpp, commands_mail.cpp: one for each row of the table.
    Done on_helo(std::string_view argument);
    Done on_ehlo(std::string_view argument);
    Done on_mail(std::string_view argument);
    Done on_rcpt(std::string_view argument);
    Done on_data(std::string_view argument);
    Done on_bdat(std::string_view argument);
    Done on_rset(std::string_view argument);
    Done on_noop(std::string_view argument);
    Done on_vrfy(std::string_view argument);
    Done on_quit(std::string_view argument);
    Done on_etrn(std::string_view argument);
    Done on_starttls(std::string_view argument);
    Done on_auth(std::string_view argument);
    Done on_xclient(std::string_view argument);
    Done on_unknown(std::string_view argument);
    bool set_helo(std::string_view argument, const char* syntax);
    RestrictionSubject subject(std::string_view recipient) const;

    // content.cpp: the bytes of the message.
    void append(std::string_view bytes) override;
    size_t take_data(std::string_view bytes);
    size_t take_chunk(std::string_view bytes);
    Done end_of_chunk();
    void refuse_message(std::string_view reply);
    bool begin_chunk(std::string& refusal);

    bool is_dropping() const noexcept {
        return !transaction_.refusal.empty() || transaction_.chunks_failed;
    }

    Done end_of_message();
    Done refuse_at_end(std::string_view reply);
    const Command& content_command() const noexcept;
    bool is_denied_at_data(std::string& refusal) const;

    // session_log.cpp
    void reply(std::string_view line);  // adds the line end
    Done fail(std::string_view line);   // reply, Done::failed
    Done fail(const ParameterFault& fault);
    void log_reject(std::string_view text, std::optional<std::string_view> sender,
                    std::optional<std::string_view> recipient);
    void log_pipelining(const char* after, std::string_view behind);
    void log_end(const char* reason);
    void log_disconnect();
    void end();  // logs the end once and closes

    const char* protocol_name() const noexcept { return is_esmtp_ ? "ESMTP" : "SMTP"; }

    const SmtpdSettings& settings_;
    SessionWorld& world_;
    Client client_;
    std::string address_;       // "192.0.2.1"
    std::string name_address_;  // "name[ip]"
    std::string helo_;
    Transaction transaction_;

    State state_ = State::waiting;
    bool is_esmtp_ = false;
    bool skipping_line_ = false;  // a line that was too long: its rest goes unread
    bool resting_ = false;
    bool shutting_down_ = false;
    bool bare_newline_excused_ = false;
    bool noted_bare_newline_ = false;
    bool noted_pipelining_ = false;
    const char* where_ = "CONNECT";  // as in "lost connection after RCPT from"
    uint32_t errors_ = 0;
    uint32_t junk_commands_ = 0;

    struct Count {
        uint32_t ok = 0;
        uint32_t total = 0;
    };

    std::array<Count, kCommandCount> counts_{};
};

}  // namespace posthaste::smtpd
