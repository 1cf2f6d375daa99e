// The bytes of the message: DATA up to its end, BDAT chunk by chunk (RFC 3030), and what the end is
// answered.
#include <algorithm>
#include <string>

#include "base/assert.h"

#include "ingress/smtpd/session.h"

namespace posthaste::smtpd {

void Session::append(std::string_view bytes) {
    transaction_.received_bytes += bytes.size();
    if (is_dropping()) return;
    if (transaction_.received_bytes > settings_.message_bytes_max) {
        return refuse_message("552 5.3.4 Error: message file too big");
    }
    world_.append(bytes);
}

void Session::refuse_message(std::string_view text) {
    transaction_.refusal = text;
    world_.drop_message();
}

void Session::on_memory_denied() {
    if (is_receiving_message() && !is_dropping())
        refuse_message("452 4.3.1 Insufficient system storage");
}

const Session::Command& Session::content_command() const noexcept {
    return command_of(transaction_.in_chunks ? Verb::bdat : Verb::data);
}

size_t Session::take_data(std::string_view bytes) {
    DataScanner& scanner = transaction_.scanner;
    const size_t taken = scanner.consume(bytes, *this);
    if (scanner.done()) {
        transaction_.saw_bare_newline = scanner.saw_bare_newline();
        const Done done = end_of_message();
        if (done != Done::later) finish(command_of(Verb::data), done == Done::ok);
    }
    return taken;
}

// Whether the chunk that `transaction_` announces may be had. The octets come in any case.
bool Session::begin_chunk(std::string& refusal) {
    if (state_ == State::greeted || state_ == State::ready) {
        refusal = "503 5.5.1 Error: need RCPT command";
    } else if (state_ == State::mail) {
        refusal = "554 5.5.1 Error: no valid recipients";
    } else if (transaction_.chunk_bytes > settings_.message_bytes_max - transaction_.chunks_bytes) {
        refusal = "552 5.3.4 Chunk exceeds message size limit";
    } else if (!transaction_.in_chunks && is_denied_at_data(refusal)) {
        log_reject(refusal, transaction_.envelope.sender, std::nullopt);
    }
    return refusal.empty();
}

Session::Done Session::on_bdat(std::string_view argument) {
    BdatCommand bdat;
    if (!settings_.offers_chunking) {
        // Who was not offered it may not be reckoned with to stop before the chunk.
        fail("521 5.5.1 Error: command not implemented");
        end();
        return Done::failed;
    }
    if (parse_bdat(argument, bdat).code != 0) {
        // Nobody knows where the next command begins.
        fail("521 5.5.4 Syntax: BDAT count [LAST]");
        end();
        return Done::failed;
    }
    const bool lacks_mail = state_ == State::greeted || state_ == State::ready ||
                            (state_ == State::bdat && transaction_.chunk_lacks_mail);
    transaction_.chunk_bytes = bdat.size_bytes;
    std::string refusal;
    if (bdat.size_bytes == 0 && !bdat.last) {
        refusal = "551 5.7.1 Null BDAT request";  // it would cost the client nothing
    } else if (transaction_.chunks_failed) {
        refusal =
            "551 5.0.0 Discarded " + std::to_string(bdat.size_bytes) + " bytes after earlier error";
    } else if (!begin_chunk(refusal)) {
        reset_transaction();
    }
    transaction_.refusal = refusal;
    transaction_.in_chunks = true;
    transaction_.chunk_lacks_mail = lacks_mail;
    transaction_.chunk_is_last = bdat.last;
    transaction_.chunk_bytes = bdat.size_bytes;
    transaction_.chunk_bytes_left = bdat.size_bytes;
    state_ = State::chunk;
    return bdat.size_bytes == 0 ? end_of_chunk() : Done::later;
}

size_t Session::take_chunk(std::string_view bytes) {
    const size_t taken =
        static_cast<size_t>(std::min<uint64_t>(bytes.size(), transaction_.chunk_bytes_left));
    transaction_.chunk_bytes_left -= taken;
    if (is_dropping())
        transaction_.received_bytes += taken;
    else
        transaction_.normalizer.consume(bytes.substr(0, taken), *this);
    if (transaction_.chunk_bytes_left == 0) {
        const Done done = end_of_chunk();
        if (done != Done::later) finish(command_of(Verb::bdat), done == Done::ok);
    }
    return taken;
}

Session::Done Session::end_of_chunk() {
    Transaction& transaction = transaction_;
    transaction.chunks_bytes += transaction.chunk_bytes;
    if (transaction.chunk_is_last && transaction.refusal.empty()) {
        transaction.normalizer.finish(*this);
        transaction.saw_bare_newline = transaction.normalizer.saw_bare_newline();
        return end_of_message();
    }
    if (!transaction.refusal.empty()) {
        const std::string refusal = std::move(transaction.refusal);
        const bool was_last = transaction.chunk_is_last;
        const bool lacked_mail = transaction.chunk_lacks_mail;
        reset_transaction();
        if (!was_last) {
            transaction.in_chunks = true;
            transaction.chunk_lacks_mail = lacked_mail;
            transaction.chunks_failed = true;
            state_ = State::bdat;
        }
        return fail(refusal);
    }
    state_ = State::bdat;
    std::string& text = world_.scratch();
    text.append("250 2.0.0 Ok: ").append(std::to_string(transaction.chunk_bytes)).append(" bytes");
    reply(text);
    return Done::ok;
}

Session::Done Session::refuse_at_end(std::string_view text) {
    where_ = "END-OF-MESSAGE";
    log_reject(text, transaction_.envelope.sender, std::nullopt);
    world_.count(text.front() == '4' ? SmtpdCounter::messages_deferred
                                     : SmtpdCounter::messages_refused);
    reply(text);
    reset_transaction();
    return Done::failed;
}

Session::Done Session::end_of_message() {
    Envelope& envelope = transaction_.envelope;
    if (transaction_.saw_bare_newline && bare_newline() == BareNewline::note)
        noted_bare_newline_ = true;
    std::string refusal = std::move(transaction_.refusal);
    if (refusal.empty() && transaction_.saw_bare_newline && bare_newline() == BareNewline::reject) {
        refusal = std::to_string(settings_.bare_newline_code) + " 5.5.2 " + settings_.hostname +
                  " Error: bare <LF> received";
    }
    if (refusal.empty()) refusal = settings_.restrictions.at_end_of_data(subject({}));
    if (!refusal.empty()) return refuse_at_end(refusal);

    envelope.size_bytes = transaction_.received_bytes;
    envelope.client_name.assign(client_.name);
    envelope.client_address.assign(address_);
    envelope.helo.assign(helo_);
    envelope.protocol.assign(is_esmtp_ && envelope.smtputf8 ? "UTF8SMTP" : protocol_name());
    DCHECK(envelope_fits(envelope));
    where_ = "END-OF-MESSAGE";
    state_ = State::committing;
    world_.submit(envelope);
    return Done::later;
}

void Session::on_stored(uint16_t code, std::string_view dsn, std::string_view text) {
    if (state_ != State::committing) return;
    const Command& command = content_command();
    const bool ok = code / 100 == 2;
    std::string& line = world_.scratch();
    if (ok) {
        line.append("250 2.0.0 Ok: ");
        if (transaction_.in_chunks)
            line.append(std::to_string(transaction_.received_bytes)).append(" bytes ");
        line.append("queued as ").append(queue_id_text(transaction_.envelope.id));
        errors_ = 0;
        junk_commands_ = 0;
        world_.count(SmtpdCounter::messages_accepted);
        world_.count(SmtpdCounter::message_bytes, transaction_.envelope.size_bytes);
    } else {
        line.append(std::to_string(code)).append(" ").append(dsn).append(" ").append(text);
        world_.count(code / 100 == 5 ? SmtpdCounter::messages_refused
                                     : SmtpdCounter::messages_deferred);
    }
    reply(line);
    reset_transaction();
    finish(command, ok);
}

}  // namespace posthaste::smtpd
