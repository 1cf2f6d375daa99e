// The sending half of ClientSession: what may go out now, and in which words.
#include "base/assert.h"

#include "mail/line_folder.h"
#include "mail/queue_id.h"
#include "mail/xtext.h"

#include "egress/smtp/client_session.h"

namespace posthaste::smtp {

namespace {

// Smaller pieces are copied into the output; larger ones are sent from where they lie.
constexpr size_t kBorrowBytesMin = 1024;

}  // namespace

bool ClientSession::can_begin() const noexcept {
    if (state_ != State::ready || transaction_count_ == transactions_.size()) return false;
    if (transaction_count_ == 0) return true;
    // Ahead of the answer to the front one's body, its commands already follow the final dot; or
    // the RSET behind a front one that was refused.
    const Transaction& front = transactions_[front_];
    return pipelining_ && (front.body_sent || (front.abandoned && expected_.empty()));
}

void ClientSession::begin(Job& job) {
    ASSERT(can_begin());
    ++jobs_begun_;
    if (!fits_server(job)) return line_.on_job_done(job);
    const auto index = static_cast<uint8_t>((front_ + transaction_count_) % transactions_.size());
    ++transaction_count_;
    transactions_[index] = Transaction{};
    transactions_[index].job = &job;
    advance(index);
    arm_timeout();
}

bool ClientSession::fits_server(Job& job) {
    DeliveryStatus refusal;
    if (size_limit_bytes_ > 0 && job.wire.size_bytes > size_limit_bytes_) {
        refusal = {Outcome::bounced, "5.3.4",
                   "message size " + std::to_string(job.wire.size_bytes) + " exceeds size limit " +
                       std::to_string(size_limit_bytes_) + " of server " + peer_};
    } else if (job.wire.smtputf8 && !utf8_) {
        refusal = {Outcome::bounced, "5.6.7",
                   "SMTPUTF8 is required, but was not offered by host " + peer_};
    } else {
        return true;
    }
    for (Job::Recipient& recipient : job.recipients) {
        if (!recipient.settled) settle(recipient, refusal);
    }
    return false;
}

void ClientSession::expect(Step step, uint8_t transaction, uint32_t recipient) {
    expected_.push_back({step, transaction, recipient});
}

void ClientSession::advance(uint8_t index) {
    Transaction& transaction = transactions_[index];
    const Job& job = *transaction.job;
    while (state_ == State::ready && !transaction.body_sent && !transaction.abandoned) {
        if (!may_speak() || (!pipelining_ && !expected_.empty())) return;
        if (needs_rset_) {
            send_rset(index);
            continue;
        }
        if (!transaction.mail_sent) {
            send_mail(transaction, index);
            continue;
        }
        while (transaction.next_recipient < job.recipients.size() &&
               job.recipients[transaction.next_recipient].settled) {
            ++transaction.next_recipient;  // settled on another host before
        }
        if (transaction.next_recipient < job.recipients.size()) {
            send_rcpt(transaction, index);
            continue;
        }
        if (transaction.phase != Phase::envelope) return;  // DATA is out; 354 comes
        line_.send("DATA\r\n");
        expect(Step::data, index);
        transaction.phase = Phase::data;
    }
}

void ClientSession::send_rset(uint8_t index) {
    needs_rset_ = false;
    line_.send("RSET\r\n");
    expect(Step::rset, index);
}

void ClientSession::send_mail(Transaction& transaction, uint8_t index) {
    const wire::DeliveryJob& job = transaction.job->wire;
    out_ = "MAIL FROM:<";
    out_ += job.sender;
    out_ += '>';
    if (size_) {
        out_ += " SIZE=";
        out_ += std::to_string(job.size_bytes);
    }
    if (eightbit_ && job.body_8bit) out_ += " BODY=8BITMIME";
    if (job.smtputf8) out_ += " SMTPUTF8";
    if (dsn_) {
        if (job.dsn_return == DsnReturn::full) out_ += " RET=FULL";
        if (job.dsn_return == DsnReturn::headers) out_ += " RET=HDRS";
        if (!job.envelope_id.empty()) {
            out_ += " ENVID=";
            out_ += to_xtext(job.envelope_id);
        }
    }
    out_ += "\r\n";
    line_.send(out_);
    transaction.mail_sent = true;
    expect(Step::mail, index);
}

void ClientSession::send_rcpt(Transaction& transaction, uint8_t index) {
    const wire::JobRecipient& recipient =
        transaction.job->wire.recipients[transaction.next_recipient];
    out_ = "RCPT TO:<";
    out_ += recipient.address;
    out_ += '>';
    if (dsn_ && recipient.notify != kNotifyUnset) {
        out_ += " NOTIFY=";
        const size_t begin = out_.size();
        const auto add = [&](uint8_t bit, const char* word) {
            if (!(recipient.notify & bit)) return;
            if (out_.size() > begin) out_ += ',';
            out_ += word;
        };
        add(kNotifyNever, "NEVER");
        add(kNotifySuccess, "SUCCESS");
        add(kNotifyFailure, "FAILURE");
        add(kNotifyDelay, "DELAY");
    }
    const size_t semicolon = recipient.original_recipient.find(';');
    if (dsn_ && recipient.original_recipient.empty()) {
        out_ += " ORCPT=rfc822;";  // as Postfix: the address is the one that it was first sent to
        out_ += to_xtext(recipient.address);
    } else if (dsn_ && semicolon != std::string_view::npos) {
        out_ += " ORCPT=";
        out_ += recipient.original_recipient.substr(0, semicolon + 1);
        out_ += to_xtext(recipient.original_recipient.substr(semicolon + 1));
    }
    out_ += "\r\n";
    line_.send(out_);
    expect(Step::rcpt, index, transaction.next_recipient);
    ++transaction.next_recipient;
}

void ClientSession::send_content(std::string_view piece) {
    if (piece.size() < kBorrowBytesMin) {
        line_.send(piece);
    } else {
        line_.send_borrowed(piece);
    }
}

void ClientSession::send_body(Transaction& transaction, uint8_t index) {
    ASSERT(expected_.empty() && !transaction.abandoned && !transaction.body_sent);
    stuffer_.reset();
    // Before the stuffer: a doubled dot does not count (RFC 5321 4.5.3.1.6).
    LineFolder folder(config_.line_bytes_max);
    for (const std::string_view content : transaction.job->content) {
        folder.feed(content, [this](std::string_view folded) {
            stuffer_.feed(folded, [this](std::string_view piece) { send_content(piece); });
        });
    }
    if (folder.has_broken()) {
        line_.on_note(queue_id_text(transaction.job->wire.id) + ": breaking line > " +
                      std::to_string(config_.line_bytes_max) + " bytes with <CR><LF>SPACE");
    }
    line_.send(stuffer_.end());
    transaction.phase = Phase::body;
    transaction.body_sent = true;
    transaction.body_end = line_.output_mark();
    expect(Step::end_of_data, index);
    line_.on_ready();  // the next message's commands go out behind this one's final dot
    if (pipelining_ && transaction_count_ == 1 && transaction.job != nullptr) send_rset(index);
}

}  // namespace posthaste::smtp
