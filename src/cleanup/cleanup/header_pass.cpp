#include "cleanup/cleanup/header_pass.h"

#include <algorithm>

#include "base/strings.h"
#include "base/units.h"

#include "mail/queue_id.h"
#include "mail/received.h"
#include "mail/wire/submitted_message.h"

namespace posthaste::cleanup {
namespace {

constexpr uint64_t bit(Field field) noexcept { return uint64_t{1} << static_cast<unsigned>(field); }

constexpr uint64_t kResentFields = bit(Field::resent_from) | bit(Field::resent_date) |
                                   bit(Field::resent_message_id) | bit(Field::resent_to) |
                                   bit(Field::resent_cc) | bit(Field::resent_bcc);

bool is_dropped(const CleanupPolicy& policy, std::string_view name) noexcept {
    return std::any_of(
        policy.dropped_headers.begin(), policy.dropped_headers.end(),
        [&](const std::string& dropped) { return equals_ignoring_case(name, dropped); });
}

// The lines we add ourselves are a few kilobytes at most; those after the fields as they came need
// room too.
constexpr size_t kCompletedBytesMax = wire::kHeaderWrittenBytesMax - 64 * kKiB;
static_assert(kCompletedBytesMax > kHeaderSectionBytesMax);

// As much of a field as fits, up to the end of a line; of a single line without such an end, a
// piece of it. Nothing when not even the name fits.
void append_cut(const HeaderField& field, size_t bytes_max, std::string& out) {
    std::string_view piece = field.whole.substr(0, bytes_max);
    if (const size_t line_end = piece.rfind('\n'); line_end != std::string_view::npos) {
        out += piece.substr(0, line_end + 1);
        return;
    }
    if (piece.find(':') == std::string_view::npos) return;
    if (piece.ends_with('\r')) piece.remove_suffix(1);
    out.append(piece).append("\r\n");
}

// "From somebody at some time", or ">From …": what parts the messages of a mailbox file.
bool is_mailbox_line(std::string_view line) noexcept {
    return line.substr(std::min(line.find_first_not_of('>'), line.size())).starts_with("From ");
}

// How many bytes of such lines stand before the header.
size_t mailbox_lines_size(std::string_view beginning) noexcept {
    size_t at = 0;
    for (size_t lines = 0; lines < kMailboxLinesMax; ++lines) {
        const size_t newline = beginning.find('\n', at);
        if (newline == std::string_view::npos || !is_mailbox_line(beginning.substr(at))) break;
        at = newline + 1;
    }
    return at;
}

// A field whose name and colon have blanks between them, written into `buffer` without.
HeaderField without_blanks(const HeaderField& field, std::string& buffer) {
    const size_t colon = field.whole.find(':', field.name.size());
    const size_t value = static_cast<size_t>(field.value.data() - field.whole.data()) - colon;
    buffer.assign(field.name).append(field.whole.substr(colon));
    const std::string_view whole = buffer;
    return {field.field, whole.substr(0, field.name.size()),
            whole.substr(field.name.size() + value, field.value.size()), whole};
}

}  // namespace

HeaderPass::Outcome HeaderPass::run(const CleanupPolicy& policy, const Envelope& envelope,
                                    const Times& times, std::string_view beginning, bool is_whole,
                                    std::string& out) {
    Outcome outcome;
    out.clear();
    const std::string_view mailbox_lines = beginning.substr(0, mailbox_lines_size(beginning));
    parse_headers(beginning.substr(mailbox_lines.size()), kHeaderFieldsMax, section_);
    outcome.body_offset = section_.body_offset;
    if (section_.truncated && !is_whole && section_.fields.size() > 1) {
        // Its continuation is out of sight: better all of the last field behind the empty line than
        // half of it.
        outcome.body_offset = section_.header_bytes =
            section_.header_bytes - section_.fields.back().whole.size();
        section_.fields.pop_back();
    }
    // Ours counts too, and as in Postfix the message that reaches the limit is one too many.
    if (section_.received_count + 1 >= policy.hops_max) {
        outcome.too_many_hops = true;
        return outcome;
    }
    outcome.rest_is_body =
        (section_.truncated && !is_whole) || section_.fields.size() >= kHeaderFieldsMax;
    outcome.body_offset += mailbox_lines.size();
    seen_ = 0;
    for (const HeaderField& field : section_.fields) seen_ |= bit(field.field);
    outcome.message_id = value_of(Field::message_id);
    outcome.resent_message_id = value_of(Field::resent_message_id);

    const bool local = policy.is_local(envelope.client_address);
    append_received_field(policy, envelope, times, out);
    for (size_t at = 0; at < mailbox_lines.size();) {
        const size_t end = mailbox_lines.find('\n', at) + 1;
        out.append("X-Mailbox-Line: ").append(mailbox_lines.substr(at, end - at));
        at = end;
    }
    append_fields(policy, local ? policy.local_headers : policy.remote_headers, out,
                  outcome.fields_cut);
    if (local || policy.always_add_missing_headers) {
        const bool resent = (seen_ & kResentFields) != 0;
        append_missing(policy, envelope, times, resent, out);
        if (!made_id_.empty()) (resent ? outcome.resent_message_id : outcome.message_id) = made_id_;
    }
    out += "\r\n";
    return outcome;
}

std::optional<std::string_view> HeaderPass::value_of(Field wanted) const {
    if ((seen_ & bit(wanted)) == 0) return std::nullopt;
    const auto found =
        std::find_if(section_.fields.rbegin(), section_.fields.rend(),
                     [&](const HeaderField& field) { return field.field == wanted; });
    return trimmed(found->value);
}

void HeaderPass::append_received_field(const CleanupPolicy& policy, const Envelope& envelope,
                                       const Times& times, std::string& out) const {
    const std::string queue_id = queue_id_text(envelope.id);
    ReceivedField field;
    field.helo = envelope.helo;
    field.client_name = envelope.client_name;
    field.client_address = envelope.client_address;
    field.host = policy.host;
    field.mail_name = policy.mail_name;
    field.protocol = envelope.protocol;
    field.queue_id = queue_id;
    if (envelope.recipients.size() == 1) field.recipient = envelope.recipients[0].address;
    field.date = times.date;
    append_received(field, out);
}

void HeaderPass::append_fields(const CleanupPolicy& policy, const AddressCompletion& completion,
                               std::string& out, uint32_t& fields_cut) {
    if (section_.fields.empty()) return;
    bool completes = !completion.origin.empty() || !completion.parent.empty();
    const std::string_view last = section_.fields.back().whole;
    const char* const section_end = last.data() + last.size();
    // Fields that stay as they are go over in runs, one copy each: mostly the whole section.
    const char* run = section_.fields.front().whole.data();
    const auto flush_to = [&](const char* end) { out.append(run, static_cast<size_t>(end - run)); };
    for (const HeaderField& as_it_came : section_.fields) {
        const char* const begin = as_it_came.whole.data();
        const char* const end = begin + as_it_came.whole.size();
        const bool has_blanks = as_it_came.whole[as_it_came.name.size()] != ':';
        const HeaderField field = has_blanks ? without_blanks(as_it_came, field_) : as_it_came;
        if (is_dropped(policy, field.name)) {
            flush_to(begin);
            run = end;
        } else if (field.whole.size() > policy.header_bytes_max) {
            flush_to(begin);
            append_cut(field, policy.header_bytes_max, out);
            ++fields_cut;
            run = end;
        } else if (completes && holds_addresses(field.field)) {
            flush_to(begin);
            run = begin;
            // What is still to come must fit as well. Once something does not, the rest stays as it
            // came.
            const size_t out_bytes_max =
                kCompletedBytesMax -
                std::min(static_cast<size_t>(section_end - end), kCompletedBytesMax);
            switch (append_completed_field(field, completion, policy.header_addresses_max,
                                           out_bytes_max, out)) {
                case Completed::no:
                    break;
                case Completed::yes:
                    run = end;
                    continue;
                case Completed::too_long:
                    completes = false;
                    break;
            }
        }
        if (has_blanks && run != end) {
            flush_to(begin);
            out += field.whole;
            run = end;
        }
    }
    flush_to(section_end);
}

void HeaderPass::append_missing(const CleanupPolicy& policy, const Envelope& envelope,
                                const Times& times, bool resent, std::string& out) {
    const std::string_view prefix = resent ? "Resent-" : "";
    const auto lacks = [&](Field plain, Field again) {
        return (seen_ & bit(resent ? again : plain)) == 0;
    };
    made_id_.clear();
    if (lacks(Field::message_id, Field::resent_message_id)) {
        // A queue id is never used twice: it needs no time beside it.
        made_id_.assign("<").append(queue_id_text(envelope.id)).append("@");
        made_id_.append(policy.host).append(">");
        out.append(prefix).append("Message-Id: ").append(made_id_).append("\r\n");
    }
    if (lacks(Field::date, Field::resent_date)) {
        out.append(prefix).append("Date: ").append(times.date).append("\r\n");
    }
    if (lacks(Field::from, Field::resent_from)) {
        out.append(prefix).append("From: ");
        out.append(envelope.sender.empty() ? "MAILER-DAEMON" : envelope.sender).append("\r\n");
    }
}

}  // namespace posthaste::cleanup
