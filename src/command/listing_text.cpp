#include "command/listing_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <time.h>

#include "base/strings.h"

namespace posthaste {

namespace {

using nlohmann::json;

constexpr int kReasonWidth = 76;

std::string text_of(const json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

uint64_t number_of(const json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}

std::string padded(const std::string& text, size_t width) {
    return text.size() >= width ? text : text + std::string(width - text.size(), ' ');
}

std::string padded_left(const std::string& text, size_t width) {
    return text.size() >= width ? text : std::string(width - text.size(), ' ') + text;
}

// asctime() without the year: "Sun Nov 22 07:30:00"
std::string arrival_text(uint64_t unix_time) {
    const auto when = static_cast<time_t>(unix_time);

    struct tm parts {};

    char text[64] = {};
    if (::localtime_r(&when, &parts) == nullptr || ::asctime_r(&parts, text) == nullptr) return "?";
    return std::string(text).substr(0, 19);
}

std::string row(const std::string& id, const std::string& size, const std::string& time,
                const std::string& address) {
    return padded(id, 17) + " " + padded_left(size, 8) + " " + padded(time, 19) + " " + address +
           "\n";
}

void append_recipients(const json& message, std::string& out) {
    const auto recipients = message.find("recipients");
    if (recipients == message.end() || !recipients->is_array()) return;
    std::string last_reason;
    for (const json& recipient : *recipients) {
        if (!recipient.is_object()) continue;
        std::string reason = without_controls(text_of(recipient, "delay_reason"));
        const auto held = recipient.find("held");
        if (held != recipient.end() && *held == true)
            reason = reason.empty() ? "held" : "held: " + reason;
        if (reason != last_reason) {
            last_reason = reason;
            if (reason.empty()) reason = "reason unavailable";
            const int padding = std::max(0, kReasonWidth - static_cast<int>(reason.size()));
            out += std::string(static_cast<size_t>(padding), ' ') + "(" + reason + ")\n";
        }
        out += row("", "", "", without_controls(text_of(recipient, "address")));
    }
}

}  // namespace

bool ListingText::append(std::string_view json_line, std::string& out) {
    const json message = json::parse(json_line, nullptr, false);
    if (!message.is_object() || text_of(message, "queue_id").empty()) return false;
    const std::string queue = text_of(message, "queue_name");
    std::string id = without_controls(text_of(message, "queue_id"));
    if (queue == "active") id += '*';
    if (queue == "hold") id += '!';
    const auto expired = message.find("forced_expire");
    if (expired != message.end() && expired->is_boolean() && expired->get<bool>()) id += '#';
    const std::string sender = without_controls(text_of(message, "sender"));
    const uint64_t size = number_of(message, "message_size");
    out += messages_ == 0 ? row("----Queue ID-----", "--Size--", "---Arrival Time----",
                                "--Sender/Recipient------")
                          : "\n";
    out += row(id, std::to_string(size), arrival_text(number_of(message, "arrival_time")),
               sender.empty() ? "MAILER-DAEMON" : sender);
    append_recipients(message, out);
    ++messages_;
    bytes_ += size;
    return true;
}

void ListingText::finish(std::string& out) const {
    if (messages_ == 0) {
        out += "Mail queue is empty\n";
        return;
    }
    out += "\n-- " + std::to_string(bytes_ / 1024) + " Kbytes in " + std::to_string(messages_) +
           " Request" + (messages_ == 1 ? "" : "s") + ".\n";
}

}  // namespace posthaste
