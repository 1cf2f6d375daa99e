// egress/smtp/client_session.h: the client's side of an SMTP conversation, without sockets.
//
//   greeting ──220──► hello ──250──► ready ◄──────────────┐
//                       │no to EHLO    │begin()            │every recipient settled
//                       └─► HELO ─►    └─► transaction ────┘        any state ──► dead (told once)
//
// Commands go out as far ahead as the server allows. With PIPELINING (RFC 2920) that is MAIL, every
// RCPT and DATA at once, and MAIL … DATA of the next message right behind the final dot, so a
// message costs one round trip. Without PIPELINING one command at a time. Replies are matched to
// what was sent by a queue of expectations.
//
// A server may send a reply too many, or one too few, and then each reply answers another command
// than the one it is matched with. So a reply alone settles nothing for good. The conversation is in
// step whenever DATA is answered 3yz, which answers nothing else, or RSET 2yz and no other reply is
// due; what was said before that is believed then. When no message follows, RSET follows the final
// dot: as a rule the answers to both come together. A reply that answers nothing, or not the command
// it meets (2yz to DATA, 3yz to anything else), or one that does not come in time, ends the
// conversation: what was not believed by then is deferred, and a message whose content has not been
// sent is untouched. No content is sent while a reply waits that nobody asked for. BDAT is not used:
// its answers look like any other command's. Not noticed: two yes too many behind one message, ahead
// of its refusal.
//
// Owned by a Link; called from the loop only. Promises: each begun job is either done (every open
// recipient settled) or returned untouched, exactly once. A lost connection after the final dot
// settles as deferred: the message may then be sent twice, never lost. A job is over only when no
// byte of its content is still to be sent: a server that answers for a message before it has taken
// all of it loses the connection, for the store gives those blocks to other mail.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "mail/data_scanner.h"
#include "mail/smtp_reply.h"

#include "egress/smtp/job.h"
#include "egress/smtp/smtp_config.h"

namespace posthaste::smtp {

class ClientSession {
 public:
    // The world of the conversation.
    class Line {
     public:
        virtual void send(std::string_view text) = 0;  // copied
        virtual void send_borrowed(
            std::string_view bytes) = 0;  // stays unchanged until the job is over
        // All that was handed in so far; taken: nothing up to there is read from its place any
        // more.
        virtual uint64_t output_mark() const = 0;
        virtual bool is_taken(uint64_t mark) const = 0;
        virtual void wait_at_most(int64_t timeout_us) = 0;  // for what is expected next
        // The session can take (another) job: begin() may be called from inside.
        virtual void on_ready() = 0;
        virtual void on_job_done(Job& job) = 0;
        // Nothing of it was accepted or refused: it may be tried over another connection at once.
        virtual void on_job_returned(Job& job) = 0;
        // For the log: what is done to a message; that the server breaks the rules.
        virtual void on_note(std::string_view text) = 0;
        virtual void on_warning(std::string_view text) = 0;
        // The conversation is over: close. `refusal` is why, for a job that waited for this very
        // connection.
        virtual void on_dead(const DeliveryStatus& refusal) = 0;

     protected:
        ~Line() = default;
    };

    // `peer` as in logs: "mx.example.com[192.0.2.1]". detect_loop: a server that greets with our
    // name is us; off for ports other than 25, where a second instance or a filter may listen.
    ClientSession(const SmtpConfig& config, std::string peer, std::string nexthop, bool detect_loop,
                  Line& line);

    void start();  // connected: waits for the greeting
    size_t on_bytes(std::string_view bytes);
    void on_lost(bool timed_out);  // end of stream, failure or deadline
    bool can_begin() const noexcept;
    void begin(Job& job);  // only when can_begin()
    void quit();           // only when idle()

    bool idle() const noexcept { return state_ == State::ready && transaction_count_ == 0; }

    bool was_ready() const noexcept { return was_ready_; }

    uint32_t jobs_begun() const noexcept { return jobs_begun_; }

    // The output has moved on, or all of it is out: what is waited for gets its time anew.
    void on_sent();

 private:
    enum class State : uint8_t { greeting, hello, ready, quitting, dead };
    enum class Step : uint8_t { greeting, ehlo, helo, rset, mail, rcpt, data, end_of_data, quit };
    enum class Phase : uint8_t { envelope, data, body };

    struct Expected {
        Step step;
        uint8_t transaction;  // index into transactions_
        uint32_t recipient;   // index into the job's recipients
    };

    struct Transaction {
        Job* job = nullptr;
        Phase phase = Phase::envelope;
        uint32_t next_recipient = 0;  // the first open one for which RCPT was not sent
        uint32_t accepted = 0;
        bool mail_sent = false;
        bool mail_accepted = false;
        bool answered = false;  // the server said something about it
        bool body_sent = false;
        uint64_t body_end = 0;   // Line::output_mark() behind it
        bool abandoned = false;  // no recipient is left; only its replies are waited for
        bool believed = false;   // its last reply has come, and was the answer to its last command
    };

    void on_reply(const SmtpReply& reply);
    void on_greeting(const SmtpReply& reply);
    void on_hello(const SmtpReply& reply, Step step);
    void on_mail(Transaction& transaction, const SmtpReply& reply);
    void on_rcpt(Transaction& transaction, uint32_t recipient, const SmtpReply& reply);
    void on_data(Transaction& transaction, uint8_t index, const SmtpReply& reply);
    void on_rset(const SmtpReply& reply);
    void on_unasked(const SmtpReply& reply);
    void on_malformed();
    void on_transaction_reply(const Expected& expected, const SmtpReply& reply);

    void say_hello(Step step);
    bool may_speak() const noexcept;
    void advance(uint8_t index);  // sends what may be sent now
    void send_rset(uint8_t index);
    void send_mail(Transaction& transaction, uint8_t index);
    void send_rcpt(Transaction& transaction, uint8_t index);
    void append_original_recipient(const wire::JobRecipient& recipient, bool declared_utf8);
    void send_content(std::string_view piece);
    void send_body(Transaction& transaction, uint8_t index);
    bool fits_server(Job& job);
    void expect(Step step, uint8_t transaction = 0, uint32_t recipient = 0);
    static void settle(Job::Recipient& recipient, const DeliveryStatus& status);
    void on_early_final(Transaction& transaction, const SmtpReply& reply);
    void settle_open(Transaction& transaction, const SmtpReply& reply, Step step);
    Transaction& nth(uint8_t n) noexcept;
    bool awaits_reply(const Transaction& transaction) const noexcept;
    void abandon(Transaction& transaction);
    void believe();
    void reset_if_doubtful();
    void lose_step(const std::string& what, bool is_yes);
    enum class Keep : uint8_t { nothing, yes, refusals };
    void revoke(const DeliveryStatus& why, Keep keep);
    void finish_front();
    void die(const DeliveryStatus& refusal, bool hop_failed);
    DeliveryStatus said(const SmtpReply& reply, Step step) const;
    void arm_timeout();
    static const char* command_of(Step step) noexcept;  // "RCPT TO command"
    const char* doing(const Expected& expected) const;  // "sending RCPT TO"

    const SmtpConfig& config_;
    std::string peer_;
    std::string nexthop_;
    const bool detect_loop_;
    Line& line_;
    State state_ = State::greeting;
    SmtpReplyParser parser_;
    SmtpReply reply_;
    std::deque<Expected> expected_;
    std::array<Transaction, wire::kLaneDepth> transactions_;
    uint8_t front_ = 0;
    uint8_t transaction_count_ = 0;
    uint32_t jobs_begun_ = 0;
    bool was_ready_ = false;
    bool needs_rset_ = false;
    bool more_waits_ = false;     // bytes have come behind the reply that is being looked at
    bool refused_since_ = false;  // some reply since the conversation was last in step was no yes
    std::string out_;
    DotStuffer stuffer_;

    // What the server offers.
    bool pipelining_ = false;
    bool size_ = false;
    bool eightbit_ = false;
    bool utf8_ = false;
    bool dsn_ = false;
    uint64_t size_limit_bytes_ = 0;  // 0 = none stated
};

}  // namespace posthaste::smtp
