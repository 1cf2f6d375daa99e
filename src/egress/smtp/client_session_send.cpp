// The sending half of ClientSession: what may go out now, and in which words.
#include "base/assert.h"
#include "base/strings.h"

#include "mail/address.h"
#include "mail/line_folder.h"
#include "mail/queue_id.h"
#include "mail/xtext.h"

#include "egress/smtp/client_session.h"

namespace posthaste::smtp {

namespace {

// Smaller pieces are copied into the output; larger ones are sent from where they lie.
constexpr size_t kBorrowBytesMin = 1024;

// The header section, up to the empty line, holds nothing but ASCII.
bool has_ascii_header(const Job& job) noexcept {
    size_t line_bytes = 0;
    for (const std::string_view piece : job.content) {
        for (const char c : piece) {
            if (static_cast<unsigned char>(c) >= 0x80) return false;
            if (c == '\n' && line_bytes == 0) return true;
            if (c == '\n') {
                line_bytes = 0;
            } else if (c != '\r') {
                ++line_bytes;
            }
        }
    }
    return true;
}

// RFC 6531: whether a server without SMTPUTF8 could not take it as it is, whatever its client
// declared. Asked only in front of such a server.
bool needs_utf8(const Job& job) noexcept {
    if (!job.wire.smtputf8) return false;
    for (size_t i = 0; i < job.recipients.size(); ++i) {
        if (!job.recipients[i].settled && !is_ascii(job.wire.recipients[i].address)) return true;
    }
    return !is_ascii(job.wire.sender) || !has_ascii_header(job);
}

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
    } else if (!utf8_ && needs_utf8(job)) {
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
    append_external(out_, job.sender);
    out_ += '>';
    if (size_) {
        out_ += " SIZE=";
        out_ += std::to_string(job.size_bytes);
    }
    if (eightbit_ && job.body_8bit) out_ += " BODY=8BITMIME";
    if (utf8_ && job.smtputf8) out_ += " SMTPUTF8";
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
    append_external(out_, recipient.address);
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
    if (dsn_) append_original_recipient(recipient, transaction.job->wire.smtputf8);
    out_ += "\r\n";
    line_.send(out_);
    expect(Step::rcpt, index, transaction.next_recipient);
    ++transaction.next_recipient;
}

void ClientSession::append_original_recipient(const wire::JobRecipient& recipient,
                                              bool declared_utf8) {
    std::string_view type = "rfc822";
    std::string address;
    if (recipient.original_recipient.empty()) {
        // As Postfix: the address is the one that it was first sent to.
        append_external(address, recipient.address);
        if (!is_ascii(address)) type = "utf-8";
    } else {
        const size_t semicolon = recipient.original_recipient.find(';');
        if (semicolon == std::string_view::npos) return;
        type = recipient.original_recipient.substr(0, semicolon);
        address = recipient.original_recipient.substr(semicolon + 1);
    }
    out_ += " ORCPT=";
    out_ += type;
    out_ += ';';
    // Not ASCII only where MAIL has said SMTPUTF8 (RFC 6533 section 3).
    out_ += equals_ignoring_case(type, "utf-8") ? to_utf8_xtext(address, utf8_ && declared_utf8)
                                                : to_xtext(address);
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
