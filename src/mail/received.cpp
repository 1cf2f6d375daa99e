#include "mail/received.h"

#include "base/strings.h"

namespace posthaste {
namespace {

constexpr size_t kNameBytesMax = 255;
constexpr size_t kTextBytesMax = 512;

void append_clean(std::string_view text, size_t size_max, std::string& out) {
    for (const char c : text.substr(0, size_max)) {
        out.push_back(is_control(c) ? '?' : c);
    }
}

}  // namespace

void append_received(const ReceivedField& field, std::string& out) {
    const std::string_view name = field.client_name.empty() ? "unknown" : field.client_name;
    out.append("Received: from ");
    append_clean(field.helo.empty() ? name : field.helo, kNameBytesMax, out);
    out.append(" (");
    append_clean(name, kNameBytesMax, out);
    out.append(field.client_address.find(':') == std::string_view::npos ? " [" : " [IPv6:");
    append_clean(field.client_address, kNameBytesMax, out);
    out.append("])\r\n\tby ");
    append_clean(field.host, kNameBytesMax, out);
    out.append(" (");
    append_clean(field.mail_name, kNameBytesMax, out);
    out.append(") with ");
    append_clean(field.protocol, kNameBytesMax, out);
    out.append(" id ");
    append_clean(field.queue_id, kNameBytesMax, out);
    if (field.recipient.empty()) {
        out.append(";\r\n\t");
    } else {
        out.append("\r\n\tfor <");
        append_clean(field.recipient, kTextBytesMax, out);
        out.append(">; ");
    }
    append_clean(field.date, kNameBytesMax, out);
    out.append("\r\n");
}

}  // namespace posthaste
