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

namespace {

void begin_with_site(std::string_view transport, const Destination& site, std::string& out) {
    out.assign("site ");
    out += site.nexthop;
    out += " (";
    out += transport;
    out += ") ";
}

void end_with_waiting(uint32_t recipients, std::string& out) {
    out += "; recipients waiting: ";
    out += std::to_string(recipients);
}

}  // namespace

void site_dead(std::string_view transport, const Destination& site, uint32_t waiting,
               int64_t wait_us, std::string& out) {
    begin_with_site(transport, site, out);
    out += site.deaths > 1 ? "is still dead: " : "is dead: ";
    out += site.dead_text;
    end_with_waiting(waiting, out);
    out += ", next attempt in ";
    out += std::to_string((wait_us + kSecondUs - 1) / kSecondUs);
    out += 's';
}

void site_alive(std::string_view transport, const Destination& site, std::string& out) {
    begin_with_site(transport, site, out);
    out += "is alive again";
    end_with_waiting(site.suspended, out);
}

}  // namespace posthaste::log_lines
