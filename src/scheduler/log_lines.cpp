#include "scheduler/log_lines.h"

#include "mail/address.h"
#include "mail/delay_text.h"
#include "mail/queue_id.h"

namespace posthaste::log_lines {

void active(const Message& message, std::string& out) {
    out.assign(queue_id_text(message.envelope.id));
    out += ": from=<";
    append_external(out, message.envelope.sender);
    out += ">, size=";
    out += std::to_string(message.envelope.size_bytes);
    out += ", nrcpt=";
    out += std::to_string(message.recipients.size());
    out += " (queue active)";
}

void removed(MessageId id, std::string& out) {
    out.assign(queue_id_text(id));
    out += ": removed";
}

void held(const Message& message, std::string_view status, std::string& out) {
    out.assign(queue_id_text(message.envelope.id));
    out += ": from=<";
    append_external(out, message.envelope.sender);
    out += ">, status=";
    out += status;
    out += ", placed on hold until a non-delivery report can be sent";
}

void recipient(const Message& message, uint32_t number, Outcome outcome, std::string_view dsn,
               std::string_view text, int64_t wall_us, std::string& out) {
    const Recipient& to = message.envelope.recipients[number];
    out.assign(queue_id_text(message.envelope.id));
    out += ": to=<";
    append_external(out, to.address);
    out += ">, relay=none, delay=";
    out += delay_text(wall_us - message.envelope.arrived_wall_us);
    out += ", delays=";
    out += delay_text(message.active_wall_us - message.envelope.arrived_wall_us);
    out += '/';
    out += delay_text(wall_us - message.active_wall_us);
    out += "/0/0, dsn=";
    out += dsn;
    out += ", status=";
    out += name_of(outcome);
    out += " (";
    out += text;
    out += ')';
}

}  // namespace posthaste::log_lines
