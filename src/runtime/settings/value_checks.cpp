#include "runtime/settings/value_checks.h"

#include <algorithm>
#include <array>

#include "base/ip_address.h"
#include "base/strings.h"

namespace posthaste {

namespace {

constexpr std::string_view kSeparators = ", \t\r\n";

bool is_table(std::string_view element) noexcept {
    if (element.starts_with('/')) return true;
    const size_t colon = element.find(':');
    return colon != std::string_view::npos && colon > 0 && is_alpha(element[0]) &&
           element.find_first_of("[]") == std::string_view::npos &&
           element.find("::") == std::string_view::npos &&
           !std::all_of(
               element.begin(), element.begin() + static_cast<std::ptrdiff_t>(colon),
               [](char c) { return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f'); });
}

std::optional<std::string> fault_in_networks(std::string_view value) {
    for (auto element : split(value, kSeparators)) {
        if (element.starts_with('!')) element.remove_prefix(1);
        if (is_table(element) || IpNetwork::parse(element)) continue;
        return "\"" + std::string(element) +
               "\" is no network; write 192.0.2.0/24, [2001:db8::]/32 or an address, "
               "with zeros behind the prefix";
    }
    return std::nullopt;
}

std::optional<std::string> fault_in_address(std::string_view value) {
    if (value.empty() || IpAddress::parse(value)) return std::nullopt;
    return "not an IP address";
}

std::optional<std::string> fault_in_name_servers(std::string_view value) {
    for (const auto element : split(value, kSeparators)) {
        const size_t at = element.find('@');
        const bool good = IpAddress::parse(element.substr(0, at)) &&
                          (at == std::string_view::npos ||
                           parse_number(element.substr(at + 1), 65535).value_or(0) > 0);
        if (!good)
            return "\"" + std::string(element) +
                   "\" is no name server; write address or address@port";
    }
    return std::nullopt;
}

std::optional<std::string> fault_in_host_name(std::string_view value) {
    const bool good = !value.empty() && value.size() <= 253 &&
                      std::all_of(value.begin(), value.end(), [](char c) {
                          return is_alnum(c) || c == '.' || c == '-' || c == '_';
                      });
    if (good) return std::nullopt;
    return "not a host name; write a fully qualified one such as mail.example.com";
}

std::optional<std::string> fault_in_directory(std::string_view value) {
    if (value.starts_with('/')) return std::nullopt;
    return "not an absolute path; begin it with \"/\"";
}

std::optional<std::string> fault_in_next_hop(std::string_view hop) {
    const std::string shown = "\"" + std::string(hop) + "\"";
    if (hop.starts_with('#')) {
        return "a comment is a line of its own that begins with \"#\"; " + shown +
               " would be a host";
    }
    size_t end = hop.find(':');
    if (hop.starts_with('[')) {
        const size_t close = hop.find(']');
        if (close == std::string_view::npos) return shown + " lacks its \"]\"";
        end = close + 1 == hop.size() ? std::string_view::npos : close + 1;
        if (end != std::string_view::npos && hop[end] != ':')
            return shown + " is no next hop; write [host] or [host]:port";
    }
    const auto host = hop.substr(0, end);
    if (host.empty() || host == "[]") return shown + " names no host";
    if (end == std::string_view::npos) return std::nullopt;
    const auto port = hop.substr(end + 1);
    const bool is_name = !port.empty() && std::all_of(port.begin(), port.end(), [](char c) {
        return is_alpha(c) || c == '-';
    });
    if (is_name || parse_number(port, 65535).value_or(0) > 0) return std::nullopt;
    return shown + ": the port is 1 to 65535";
}

std::optional<std::string> fault_in_next_hops(std::string_view value) {
    for (const auto hop : split(value, kSeparators))
        if (auto fault = fault_in_next_hop(hop)) return fault;
    return std::nullopt;
}

// "1", "0.5", "1/concurrency"
std::optional<std::string> fault_in_feedback(std::string_view value) {
    const size_t slash = value.find('/');
    const auto number = trimmed(value.substr(0, slash));
    const auto below = slash == std::string_view::npos ? "1" : trimmed(value.substr(slash + 1));
    const auto is_number = [](std::string_view text) {
        return !text.empty() && std::count(text.begin(), text.end(), '.') <= 1 && text != "." &&
               std::all_of(text.begin(), text.end(),
                           [](char c) { return is_digit(c) || c == '.'; });
    };
    if (is_number(number) && (below == "concurrency" || is_number(below))) return std::nullopt;
    return "not a feedback; write a number such as 1 or 0.5, or number/concurrency";
}

}  // namespace

std::optional<std::string> fault_in_meaning(std::string_view name, std::string_view value) {
    if (name == "mynetworks") return fault_in_networks(value);
    if (name == "smtp_bind_address" || name == "smtp_bind_address6") return fault_in_address(value);
    if (name == "dns_servers") return fault_in_name_servers(value);
    if (name == "myhostname" || name == "smtp_helo_name") return fault_in_host_name(value);
    if (name == "queue_directory") return fault_in_directory(value);
    if (name == "relayhost" || name == "smtp_fallback_relay") return fault_in_next_hops(value);
    if (name.ends_with("_concurrency_positive_feedback") ||
        name.ends_with("_concurrency_negative_feedback"))
        return fault_in_feedback(value);
    return std::nullopt;
}

std::optional<std::string> fault_in_backoff(const Settings& settings) {
    if (settings.time_us("minimal_backoff_time") <= settings.time_us("maximal_backoff_time"))
        return std::nullopt;
    return "maximal_backoff_time = " + settings.text("maximal_backoff_time") +
           " is less than minimal_backoff_time = " + settings.text("minimal_backoff_time") +
           "; raise the one or lower the other";
}

std::optional<std::string> fault_in_relaying(const Settings& settings) {
    constexpr std::array<std::string_view, 6> kDenying = {
        "reject_unauth_destination", "defer_unauth_destination", "reject", "defer",
        "defer_if_permit",           "check_relay_domains"};
    for (const auto list : {"smtpd_relay_restrictions", "smtpd_recipient_restrictions"})
        for (const std::string& word : settings.list(list))
            if (std::find(kDenying.begin(), kDenying.end(), lowered(word)) != kDenying.end())
                return std::nullopt;
    return "smtpd_relay_restrictions and smtpd_recipient_restrictions would make this an open "
           "relay; put "
           "reject_unauth_destination or defer_unauth_destination into one of them";
}

}  // namespace posthaste
