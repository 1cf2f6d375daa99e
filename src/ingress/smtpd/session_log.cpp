// What a session says: replies, and the log lines that tools written for Postfix read.
#include <charconv>
#include <string>

#include "base/strings.h"

#include "ingress/smtpd/session.h"

namespace posthaste::smtpd {
namespace {

void append_number(std::string& out, uint64_t value) {
    char digits[20];
    const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
    out.append(digits, end);
}

// Line ends and tabs by name, so that one sees what the client sent ahead.
std::string escaped(std::string_view bytes) {
    std::string out;
    for (const char c : bytes.substr(0, 100)) {
        switch (c) {
            case '\r':
                out += "\\r";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\t':
                out += "\\t";
                break;
            default:
                out += printable(std::string_view(&c, 1));
                break;
        }
    }
    return out;
}

}  // namespace

void Session::reply(std::string_view line) {
    world_.reply(line);
    world_.reply("\r\n");
}

Session::Done Session::fail(std::string_view line) {
    reply(line);
    return Done::failed;
}

Session::Done Session::fail(const ParameterFault& fault) {
    std::string& text = world_.scratch();
    append_number(text, fault.code);
    text.append(" ").append(fault.enhanced).append(" ").append(fault.text);
    return fail(text);
}

void Session::log_reject(std::string_view text, std::optional<std::string_view> sender,
                         std::optional<std::string_view> recipient) {
    std::string& line = world_.scratch();
    line.append(transaction_.has_queue_id() ? queue_id_text(transaction_.envelope.id) : "NOQUEUE");
    line.append(": reject: ")
        .append(where_)
        .append(" from ")
        .append(name_address_)
        .append(": ")
        .append(text);
    line.append(";");
    if (sender) line.append(" from=<").append(*sender).append(">");
    if (recipient) line.append(" to=<").append(*recipient).append(">");
    line.append(" proto=").append(protocol_name());
    if (!helo_.empty()) line.append(" helo=<").append(helo_).append(">");
    world_.log(line);
}

void Session::log_pipelining(const char* after, std::string_view behind) {
    if (noted_pipelining_) return;
    noted_pipelining_ = true;
    std::string& line = world_.scratch();
    line.append("improper command pipelining after ")
        .append(after)
        .append(" from ")
        .append(name_address_);
    line.append(": ").append(escaped(behind));
    world_.log(line);
}

void Session::log_end(const char* reason) {
    std::string& line = world_.scratch();
    line.append(reason).append(" after ");
    if (is_receiving_message()) {
        line.append(state_ == State::data ? "DATA (" : "BDAT (");
        append_number(line, transaction_.received_bytes);
        line.append(" bytes)");
    } else {
        line.append(where_);
    }
    line.append(" from ").append(name_address_);
    world_.log(line);
}

void Session::log_disconnect() {
    std::string& line = world_.scratch();
    line.append("disconnect from ").append(name_address_);
    Count all;
    const auto append_count = [&line](std::string_view name, Count count, bool with_total) {
        line.append(" ").append(name).append("=");
        append_number(line, count.ok);
        if (!with_total) return;
        line.append("/");
        append_number(line, count.total);
    };
    for (size_t i = 0; i < kCommandCount; ++i) {
        const Count& count = counts_[i];
        if (count.total == 0) continue;
        append_count(kCommands[i].log_name, count, count.ok != count.total);
        all.ok += count.ok;
        all.total += count.total;
    }
    append_count("commands", all, all.ok != all.total || all.total == 0);
    if (noted_bare_newline_) line.append(" notes=bare_lf");
    world_.log(line);
}

}  // namespace posthaste::smtpd
