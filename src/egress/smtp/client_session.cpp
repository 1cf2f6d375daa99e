#include "egress/smtp/client_session.h"

#include <algorithm>

#include "base/assert.h"
#include "base/deliberate_bug.h"
#include "base/strings.h"
#include "base/units.h"

namespace posthaste::smtp {

namespace {

constexpr const char* kDoubt = " -- message may be sent more than once";

}  // namespace

ClientSession::ClientSession(const SmtpConfig& config, std::string peer, std::string nexthop,
                             bool detect_loop, Line& line)
    : config_(config),
      peer_(std::move(peer)),
      nexthop_(std::move(nexthop)),
      detect_loop_(detect_loop),
      line_(line) {}

void ClientSession::start() {
    expect(Step::greeting);
    arm_timeout();
}

size_t ClientSession::on_bytes(std::string_view bytes) {
    const size_t size_bytes = bytes.size();
    bool replied = false;
    while (state_ != State::dead && !bytes.empty()) {
        switch (parser_.consume(bytes, reply_)) {
            case SmtpReplyParser::State::complete:
                replied = true;
                more_waits_ = !bytes.empty();
                on_reply(reply_);
                break;
            case SmtpReplyParser::State::incomplete:
                break;
            case SmtpReplyParser::State::malformed:
                on_malformed();
                break;
        }
    }
    more_waits_ = false;
    if (state_ == State::dead) return size_bytes;
    if (expected_.empty() && !parser_.idle()) {
        lose_step("spoke without being asked", false);
    } else if (replied) {
        // Only for a whole reply: who sends it byte by byte gets no more time than others.
        arm_timeout();
    }
    return size_bytes;
}

void ClientSession::on_lost(bool timed_out) {
    if (state_ == State::dead) return;
    DeliveryStatus why;
    if (!expected_.empty() && state_ != State::quitting) {
        why.dsn = "4.4.2";
        why.text = (timed_out ? "conversation with " : "lost connection with ") + peer_ +
                   (timed_out ? " timed out while " : " while ") + doing(expected_.front());
    }
    if (timed_out) {
        // A reply may be missing, and what came instead of it was another's.
        revoke(why, Keep::nothing);
    } else if (refused_since_) {
        revoke(why, Keep::refusals);
    }
    die(why, true);
}

// Nothing is said while something waits that nobody asked for.
bool ClientSession::may_speak() const noexcept { return !more_waits_ || !expected_.empty(); }

void ClientSession::on_reply(const SmtpReply& reply) {
    if (expected_.empty()) return on_unasked(reply);
    const Expected expected = expected_.front();
    expected_.pop_front();
    switch (expected.step) {
        case Step::greeting:
            return on_greeting(reply);
        case Step::ehlo:
        case Step::helo:
            return on_hello(reply, expected.step);
        case Step::quit:
            return die({}, false);
        default:
            return on_transaction_reply(expected, reply);
    }
}

void ClientSession::on_malformed() {
    const DeliveryStatus why{Outcome::deferred, "4.5.0",
                             "host " + peer_ + " sent a malformed reply"};
    revoke(why, refused_since_ ? Keep::nothing : Keep::yes);
    die(why, true);
}

void ClientSession::on_unasked(const SmtpReply& reply) {
    if (reply.code == 421 || reply.code == 221) {  // good-bye
        return die(
            {Outcome::deferred, "4.4.2", "host " + peer_ + " closed the session: " + reply.text},
            false);
    }
    refused_since_ |= !reply.is_completion();
    lose_step("said without being asked: " + reply.text, reply.is_completion());
}

void ClientSession::on_transaction_reply(const Expected& expected, const SmtpReply& reply) {
    Transaction& transaction = transactions_[expected.transaction];
    if (reply.code == 421) {
        // RFC 5321 3.8: the server is closing. A message it had not begun with may go over another
        // connection.
        const bool untouched = !transaction.answered && jobs_begun_ > 1 &&
                               (expected.step == Step::mail || expected.step == Step::rset);
        const DeliveryStatus why = said(reply, expected.step);
        if (refused_since_) revoke(why, Keep::refusals);
        if (!untouched && transaction.job != nullptr)
            settle_open(transaction, reply, expected.step);
        return die(why, !untouched);
    }
    const bool asks_for_more = reply.code / 100 == 3;
    if (expected.step == Step::data ? reply.is_completion() : asks_for_more) {
        return lose_step("said: " + reply.text + " (in reply to " + command_of(expected.step) + ")",
                         reply.is_completion());
    }
    refused_since_ |= !reply.is_positive();
    switch (expected.step) {
        case Step::mail:
            on_mail(transaction, reply);
            break;
        case Step::rcpt:
            on_rcpt(transaction, expected.recipient, reply);
            break;
        case Step::data:
            on_data(transaction, expected.transaction, reply);
            break;
        case Step::end_of_data:
            if (!line_.is_taken(transaction.body_end)) return on_early_final(transaction, reply);
            settle_open(transaction, reply, expected.step);
            needs_rset_ = expected_.empty();  // else the next commands are out, or RSET is
            if (has_bug(DeliberateBug::believe_any_yes)) believe();
            break;
        default:
            on_rset(reply);
            break;
    }
    if (state_ != State::ready || transaction_count_ == 0) return;
    if (!pipelining_ || !transactions_[front_].body_sent) advance(front_);
    finish_front();
    if (state_ != State::ready || transaction_count_ == 0) return;
    reset_if_doubtful();
}

void ClientSession::on_greeting(const SmtpReply& reply) {
    if (reply.code == 220) {
        state_ = State::hello;
        const auto words = split(reply.lines, " \n");
        const bool says_esmtp = std::any_of(words.begin(), words.end(), [](std::string_view word) {
            return equals_ignoring_case(word, "ESMTP");
        });
        const bool extended = config_.always_send_ehlo || says_esmtp;
        if (!may_speak()) return;
        return say_hello(extended && !config_.never_send_ehlo ? Step::ehlo : Step::helo);
    }
    DeliveryStatus why = said(reply, Step::greeting);
    why.text = "host " + peer_ + " refused to talk to me: " + reply.text;
    if (config_.skip_5xx_greeting && why.outcome == Outcome::bounced) {
        // Another server of the destination may be in a better mood; if none is, the mail waits.
        why.outcome = Outcome::deferred;
        why.dsn[0] = '4';
    }
    die(why, true);
}

void ClientSession::say_hello(Step step) {
    out_ = step == Step::ehlo ? "EHLO " : "HELO ";
    out_ += config_.helo_name;
    out_ += "\r\n";
    line_.send(out_);
    expect(step);
}

void ClientSession::on_hello(const SmtpReply& reply, Step step) {
    if (!reply.is_completion()) {
        // As Postfix does: an EHLO that is refused for now is as good as one that is not known.
        if (step == Step::ehlo && reply.code != 421) {
            if (may_speak()) say_hello(Step::helo);
            return;
        }
        DeliveryStatus why = said(reply, step);
        why.text = "host " + peer_ + " refused to talk to me: " + reply.text;
        if (reply.code / 10 == 50) {
            // Who does not know HELO refuses nobody in particular, or is still speaking of EHLO.
            why.outcome = Outcome::deferred;
            why.dsn[0] = '4';
        }
        return die(why, true);
    }
    if (!may_speak()) return;
    std::string_view lines = reply.lines;
    for (bool first = true; !lines.empty(); first = false) {
        const size_t end = std::min(lines.find('\n'), lines.size());
        // "SIZE=1000" and "AUTH=LOGIN" are in use since before there was a standard.
        const auto words = split(lines.substr(0, end), first ? " \t" : " \t=");
        lines.remove_prefix(std::min(end + 1, lines.size()));
        if (words.empty()) continue;
        if (first) {
            if (detect_loop_ && equals_ignoring_case(words[0], config_.myhostname)) {
                return die(
                    {Outcome::bounced, "5.4.6", "mail for " + nexthop_ + " loops back to myself"},
                    true);
            }
            continue;
        }
        if (step == Step::helo) break;
        if (equals_ignoring_case(words[0], "PIPELINING"))
            pipelining_ = true;
        else if (equals_ignoring_case(words[0], "8BITMIME"))
            eightbit_ = true;
        else if (equals_ignoring_case(words[0], "SMTPUTF8"))
            utf8_ = true;
        else if (equals_ignoring_case(words[0], "DSN"))
            dsn_ = true;
        else if (equals_ignoring_case(words[0], "SIZE")) {
            size_ = true;
            if (words.size() > 1) size_limit_bytes_ = parse_number(words[1]).value_or(0);
        }
    }
    state_ = State::ready;
    was_ready_ = true;
    line_.on_ready();
}

void ClientSession::on_mail(Transaction& transaction, const SmtpReply& reply) {
    transaction.answered = true;
    if (reply.is_completion()) {
        transaction.mail_accepted = true;
        return;
    }
    settle_open(transaction, reply, Step::mail);
    abandon(transaction);
}

void ClientSession::on_rcpt(Transaction& transaction, uint32_t recipient, const SmtpReply& reply) {
    if (transaction.abandoned) return;  // MAIL was refused: 503 to each
    if (reply.is_completion()) {
        ++transaction.accepted;
        return;
    }
    DeliveryStatus why = said(reply, Step::rcpt);
    if (reply.code == 552 && (reply.dsn.empty() || reply.dsn == "5.5.3") &&
        transaction.accepted > 0) {
        // RFC 5321 4.5.3.1.10: old servers say 552 for "too many recipients", which is temporary.
        why.outcome = Outcome::deferred;
        why.dsn[0] = '4';
    }
    settle(transaction.job->recipients[recipient], why);
    if (transaction.job->all_settled()) abandon(transaction);
}

// No recipient is left. What the server said of it is believed when RSET has been answered.
void ClientSession::abandon(Transaction& transaction) {
    transaction.abandoned = true;
    needs_rset_ = true;
}

void ClientSession::on_data(Transaction& transaction, uint8_t index, const SmtpReply& reply) {
    if (reply.is_positive()) {  // 3yz, which answers nothing but DATA
        believe();
        if (transaction.abandoned) {
            // RFC 2920 3.1: nobody was accepted, yet the server waits for a message. An empty one
            // would end that, but nobody is to get one, should the server see it otherwise. What
            // follows would be content to it: no other message may begin here.
            return die(
                {Outcome::deferred, "4.5.0", "host " + peer_ + " wants a message for nobody"},
                false);
        }
        finish_front();
        if (state_ == State::ready && may_speak()) send_body(transaction, index);
        return;
    }
    if (transaction.abandoned) return;
    settle_open(transaction, reply, Step::data);
    abandon(transaction);
}

void ClientSession::on_rset(const SmtpReply& reply) {
    if (reply.is_completion()) {
        // The last reply that is due has come. With more to come, one that is missing would not
        // show yet.
        if (expected_.empty() && !more_waits_) believe();
        return;
    }
    if (reply.code == 500 || reply.code == 502) {
        // It was RSET that it answered, and does not know: no other message can follow.
        believe();
        return die(said(reply, Step::rset), false);
    }
    lose_step("said: " + reply.text + " (in reply to RSET command)", false);
}

// A refusal may come early and counts; a yes to what it has not read does not.
void ClientSession::on_early_final(Transaction& transaction, const SmtpReply& reply) {
    const DeliveryStatus early{
        Outcome::deferred, "4.5.0",
        "host " + peer_ + " said: " + reply.text + " (before it had the whole message)"};
    if (!reply.is_completion()) {
        settle_open(transaction, reply, Step::end_of_data);
    } else {
        for (Job::Recipient& recipient : transaction.job->recipients) {
            if (!recipient.settled) settle(recipient, early);
        }
    }
    die(early, false);
}

ClientSession::Transaction& ClientSession::nth(uint8_t n) noexcept {
    return transactions_[(front_ + n) % transactions_.size()];
}

bool ClientSession::awaits_reply(const Transaction& transaction) const noexcept {
    return std::any_of(expected_.begin(), expected_.end(), [&](const Expected& expected) {
        return expected.step != Step::rset && &transactions_[expected.transaction] == &transaction;
    });
}

// The conversation is in step: all that was said so far answers what it was taken for.
void ClientSession::believe() {
    refused_since_ = false;
    for (uint8_t n = 0; n < transaction_count_; ++n) {
        Transaction& transaction = nth(n);
        for (Job::Recipient& recipient : transaction.job->recipients) recipient.doubtful = false;
        const bool is_over = transaction.body_sent || transaction.abandoned;
        if (is_over && !awaits_reply(transaction)) transaction.believed = true;
    }
}

void ClientSession::reset_if_doubtful() {
    if (!needs_rset_ || !expected_.empty() || !may_speak()) return;
    line_.on_ready();  // the RSET goes out ahead of the next message's commands, if there is one
    if (!needs_rset_ || state_ != State::ready || transaction_count_ == 0) return;
    const Transaction& last = nth(static_cast<uint8_t>(transaction_count_ - 1));
    if (last.abandoned || last.body_sent) send_rset(front_);
}

// From the last time on that it was in step, which reply answers which command is not known.
void ClientSession::lose_step(const std::string& what, bool is_yes) {
    const DeliveryStatus why{Outcome::deferred, "4.5.0", "host " + peer_ + " " + what};
    line_.on_warning("host " + peer_ + " is out of step, closing the connection: it " + what);
    // One yes too many among nothing but yes: whichever answers the message, it is one.
    revoke(why, is_yes && !refused_since_ ? Keep::yes : Keep::nothing);
    // Only a message that the server has not refused is tried again at once.
    for (uint8_t n = 0; n < transaction_count_; ++n)
        nth(n).answered &= nth(n).body_sent || nth(n).abandoned;
    die(why, true);
}

// Of what was said since the conversation was last in step nothing counts but what is kept.
void ClientSession::revoke(const DeliveryStatus& why, Keep keep) {
    for (uint8_t n = 0; n < transaction_count_; ++n) {
        Transaction& transaction = nth(n);
        for (Job::Recipient& recipient : transaction.job->recipients) {
            if (!recipient.settled || !recipient.doubtful) continue;
            const bool is_yes = recipient.status.outcome == Outcome::sent;
            if (is_yes && keep == Keep::yes) continue;
            // Behind a yes that is in doubt, a refusal may be that message's.
            if (!is_yes && keep == Keep::refusals && n == 0) continue;
            recipient.settled = recipient.doubtful = false;
        }
        if (!transaction.body_sent) continue;
        // Whoever has not got the end of it has not got the message.
        const bool may_have_it =
            line_.is_taken(transaction.body_end) && why.text.find(kDoubt) == std::string::npos;
        const std::string text = may_have_it ? why.text + kDoubt : why.text;
        for (Job::Recipient& recipient : transaction.job->recipients) {
            if (recipient.settled) continue;
            settle(recipient, {Outcome::deferred, why.dsn, text});
            transaction.job->hop_failed = true;
        }
    }
}

void ClientSession::finish_front() {
    while (transaction_count_ > 0) {
        Transaction& transaction = transactions_[front_];
        if (!transaction.believed) return;
        ASSERT(transaction.job->all_settled());
        Job& job = *std::exchange(transaction.job, nullptr);
        front_ = static_cast<uint8_t>((front_ + 1) % transactions_.size());
        --transaction_count_;
        line_.on_job_done(job);
        if (state_ != State::ready) return;
        if (transaction_count_ > 0) advance(front_);
    }
    line_.on_ready();
}

void ClientSession::settle(Job::Recipient& recipient, const DeliveryStatus& status) {
    recipient.settled = recipient.doubtful = true;
    recipient.status = status;
}

void ClientSession::settle_open(Transaction& transaction, const SmtpReply& reply, Step step) {
    DeliveryStatus what;
    if (reply.is_completion() && step == Step::end_of_data) {
        what.outcome = Outcome::sent;
        what.dsn = reply.dsn.empty() ? "2.0.0" : reply.dsn;
        what.text = trimmed(reply.text);
    } else {
        what = said(reply, step);
    }
    for (Job::Recipient& recipient : transaction.job->recipients) {
        if (!recipient.settled) settle(recipient, what);
    }
}

DeliveryStatus ClientSession::said(const SmtpReply& reply, Step step) const {
    DeliveryStatus status;
    status.outcome = reply.is_permanent() ? Outcome::bounced : Outcome::deferred;
    if (!reply.dsn.empty() && reply.dsn[0] == (reply.is_permanent() ? '5' : '4')) {
        status.dsn = reply.dsn;
    } else {
        status.dsn = reply.is_permanent() ? "5.0.0" : "4.0.0";
    }
    status.text.assign("host ").append(peer_).append(" said: ").append(trimmed(reply.text));
    if (const char* command = command_of(step)) {
        status.text += " (in reply to ";
        status.text += command;
        status.text += ")";
    }
    return status;
}

void ClientSession::die(const DeliveryStatus& refusal, bool hop_failed) {
    state_ = State::dead;
    expected_.clear();
    while (transaction_count_ > 0) {
        Transaction& transaction = transactions_[front_];
        Job& job = *std::exchange(transaction.job, nullptr);
        // A reused connection that breaks before the server said anything about this message proves
        // nothing against it. The first message of a connection takes the blame, so that a server
        // which always breaks is noticed.
        const bool untouched =
            !transaction.answered && jobs_begun_ > transaction_count_ && !job.all_settled();
        front_ = static_cast<uint8_t>((front_ + 1) % transactions_.size());
        --transaction_count_;
        if (untouched) {
            line_.on_job_returned(job);
            continue;
        }
        for (Job::Recipient& recipient : job.recipients) {
            if (!recipient.settled) {
                settle(recipient, {Outcome::deferred, refusal.dsn, refusal.text});
                job.hop_failed |= hop_failed;
            }
        }
        line_.on_job_done(job);
    }
    line_.on_dead(refusal);
}

void ClientSession::quit() {
    ASSERT(idle());
    state_ = State::quitting;
    line_.send("QUIT\r\n");
    expect(Step::quit);
    arm_timeout();
}

void ClientSession::on_sent() {
    if (state_ != State::dead) arm_timeout();
}

void ClientSession::arm_timeout() {
    if (expected_.empty()) return line_.wait_at_most(kNeverUs);
    switch (expected_.front().step) {
        case Step::greeting:
        case Step::ehlo:
        case Step::helo:
            return line_.wait_at_most(config_.helo_timeout_us);
        case Step::rset:
            return line_.wait_at_most(config_.rset_timeout_us);
        case Step::mail:
            return line_.wait_at_most(config_.mail_timeout_us);
        case Step::rcpt:
            return line_.wait_at_most(config_.rcpt_timeout_us);
        case Step::data:
            return line_.wait_at_most(config_.data_init_timeout_us);
        case Step::end_of_data:
            return line_.wait_at_most(config_.data_done_timeout_us);
        case Step::quit:
            return line_.wait_at_most(config_.quit_timeout_us);
    }
}

const char* ClientSession::command_of(Step step) noexcept {
    switch (step) {
        case Step::ehlo:
            return "EHLO command";
        case Step::helo:
            return "HELO command";
        case Step::rset:
            return "RSET command";
        case Step::mail:
            return "MAIL FROM command";
        case Step::rcpt:
            return "RCPT TO command";
        case Step::data:
            return "DATA command";
        case Step::end_of_data:
            return "end of DATA command";
        case Step::greeting:
        case Step::quit:
            break;
    }
    return nullptr;
}

const char* ClientSession::doing(const Expected& expected) const {
    switch (expected.step) {
        case Step::greeting:
            return "receiving the initial server greeting";
        case Step::ehlo:
            return "performing the EHLO handshake";
        case Step::helo:
            return "performing the HELO handshake";
        case Step::rset:
            return "sending RSET";
        case Step::mail:
            return "sending MAIL FROM";
        case Step::rcpt:
            return "sending RCPT TO";
        case Step::data:
            return "sending DATA command";
        case Step::end_of_data:
            return line_.is_taken(transactions_[expected.transaction].body_end)
                       ? "sending end of data -- message may be sent more than once"
                       : "sending message body";
        case Step::quit:
            return "sending QUIT";
    }
    return "talking";
}

}  // namespace posthaste::smtp
