// ingress/smtpd/session_world.h: what an SMTP conversation asks of the world around it.
// ClientSession gives it sockets, arena and cleanup; tests give it strings.
//
// No call comes back into the Session from inside: answers (on_stored, on_rested, room for more)
// come later.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mail/envelope.h"

#include "ingress/smtpd/smtpd_counters.h"

namespace posthaste::smtpd {

class SessionWorld {
 public:
    // Whole reply lines with their line ends. They go out together at the end of the turn.
    virtual void reply(std::string_view lines) = 0;
    // False while too much output is unsent: the session takes no input until it is called again.
    virtual bool can_reply() const = 0;
    virtual void log(std::string_view line) = 0;
    virtual void warn(std::string_view line) = 0;
    virtual void count(SmtpdCounter counter, uint64_t amount = 1) = 0;
    virtual int64_t wall_us() const = 0;

    // kNoMessage when none is at hand: the queue is not there.
    virtual MessageId take_id() = 0;
    // Memory for messages has been short for a while: begin no new ones.
    virtual bool is_short_of_memory() const = 0;

    // The bytes of the message being received, in order. append() always takes them; while
    // can_append() is false the session offers no more.
    virtual bool can_append() = 0;
    virtual void append(std::string_view bytes) = 0;
    // What was appended since the last submit() is not wanted.
    virtual void drop_message() = 0;
    // The message is whole. The answer is Session::on_stored().
    virtual void submit(const Envelope& envelope) = 0;

    // No input until Session::on_rested().
    virtual void rest_for(int64_t duration_us) = 0;
    // After what was replied has been sent.
    virtual void close() = 0;

    // One text for building replies and log lines, shared by all sessions; emptied by each call,
    // valid until the next.
    virtual std::string& scratch() = 0;

 protected:
    ~SessionWorld() = default;
};

}  // namespace posthaste::smtpd
