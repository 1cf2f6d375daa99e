#include "cleanup/rewrite/dns_data.h"

#include <algorithm>

#include "base/strings.h"

namespace posthaste::rewrite {
namespace {

constexpr size_t kNameBytesMax = 253;  // as text; 255 on the wire
constexpr size_t kLabelBytesMax = 63;
constexpr uint16_t kDnsPort = 53;

bool is_name_char(char c) noexcept { return is_alnum(c) || c == '-' || c == '_'; }

}  // namespace

std::optional<std::string> read_dns_name(std::string_view data, std::string_view& rest) {
    std::string out;
    while (!data.empty()) {
        const auto length = static_cast<uint8_t>(data.front());
        data.remove_prefix(1);
        if (length == 0) {
            rest = data;
            return out;
        }
        if (length > kLabelBytesMax || length > data.size() ||
            out.size() + 1 + length > kNameBytesMax)
            return std::nullopt;
        if (!out.empty()) out += '.';
        for (const char c : data.substr(0, length)) {
            if (!is_name_char(c)) return std::nullopt;
            out += to_lower(c);
        }
        data.remove_prefix(length);
    }
    return std::nullopt;
}

bool is_host_name(std::string_view name) noexcept {
    if (name.empty() || IpAddress::parse(name)) return false;
    return !std::all_of(name.begin(), name.end(), [](char c) { return is_digit(c) || c == '.'; });
}

std::optional<MxRecord> read_mx(std::string_view data) {
    if (data.size() < 3) return std::nullopt;
    MxRecord out;
    out.preference =
        static_cast<uint16_t>(static_cast<uint8_t>(data[0]) << 8 | static_cast<uint8_t>(data[1]));
    std::string_view rest;
    auto host = read_dns_name(data.substr(2), rest);
    if (!host || !rest.empty()) return std::nullopt;
    if (!host->empty() && !is_host_name(*host)) return std::nullopt;
    out.host = std::move(*host);
    return out;
}

std::optional<IpAddress> read_address(std::string_view data, bool v6) noexcept {
    if (data.size() != (v6 ? 16U : 4U)) return std::nullopt;
    IpAddress out;
    out.v6 = v6;
    std::copy(data.begin(), data.end(), out.bytes.begin());
    return out;
}

std::string reverse_name(const IpAddress& address) {
    std::string out;
    if (!address.v6) {
        for (size_t i = 4; i-- > 0;) out += std::to_string(address.bytes[i]) + ".";
        return out + "in-addr.arpa";
    }
    static constexpr char kHex[] = "0123456789abcdef";
    for (size_t i = 16; i-- > 0;) {
        out.append({kHex[address.bytes[i] & 15], '.', kHex[address.bytes[i] >> 4], '.'});
    }
    return out + "ip6.arpa";
}

std::vector<Endpoint> read_resolv_conf(std::string_view text, size_t servers_max) {
    std::vector<Endpoint> out;
    for (const std::string_view line : split(text, "\n")) {
        const auto words = split(line, " \t\r");
        if (words.size() < 2 || words[0] != "nameserver" || out.size() >= servers_max) continue;
        if (const auto address = IpAddress::parse(words[1])) out.push_back({*address, kDnsPort});
    }
    return out;
}

std::vector<std::string> read_trust_anchors(std::string_view text, size_t anchors_max) {
    std::vector<std::string> out;
    for (const std::string_view line : split(text, "\n")) {
        const std::string_view record = trimmed(line.substr(0, line.find(';')));
        if (!record.empty() && out.size() < anchors_max) out.emplace_back(record);
    }
    return out;
}

std::optional<std::vector<Endpoint>> read_dns_servers(std::string_view text) {
    std::vector<Endpoint> out;
    for (const std::string_view item : split(text, ", \t\r\n")) {
        const size_t at = item.find('@');
        const auto address = IpAddress::parse(item.substr(0, at));
        if (!address) return std::nullopt;
        uint16_t port = kDnsPort;
        if (at != std::string_view::npos) {
            const auto number = parse_number(item.substr(at + 1), 65535);
            if (!number || *number == 0) return std::nullopt;
            port = static_cast<uint16_t>(*number);
        }
        out.push_back({*address, port});
    }
    return out;
}

}  // namespace posthaste::rewrite
