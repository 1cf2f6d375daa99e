#include "cleanup/rewrite/hosts_file.h"

#include "base/strings.h"
#include "base/units.h"

#include "lookup/logical_lines.h"

namespace posthaste::rewrite {
namespace {

constexpr size_t kFileBytesMax = 16 * kMiB;

}  // namespace

HostsFile HostsFile::parse(std::string_view text) {
    HostsFile out;
    for (std::string_view line : split(text, "\n")) {
        line = line.substr(0, line.find('#'));
        const auto words = split(line, " \t\r");
        if (words.size() < 2) continue;
        const auto address = IpAddress::parse(words[0]);
        if (!address) continue;
        out.by_address_.try_emplace(address->text(), lowered(words[1]));
        for (size_t i = 1; i < words.size(); ++i)
            out.by_name_[lowered(words[i])].push_back(*address);
    }
    return out;
}

HostsFile HostsFile::read(const std::string& path) {
    const auto text = read_text_file(path, kFileBytesMax);
    return text ? parse(*text) : HostsFile();
}

std::vector<IpAddress> HostsFile::addresses_of(std::string_view name, bool v6) const {
    std::vector<IpAddress> out;
    const auto found = by_name_.find(lowered(name));
    if (found == by_name_.end()) return out;
    for (const IpAddress& address : found->second) {
        if (address.v6 == v6) out.push_back(address);
    }
    return out;
}

bool HostsFile::knows(std::string_view name) const { return by_name_.contains(lowered(name)); }

std::string HostsFile::name_of(const IpAddress& address) const {
    const auto found = by_address_.find(address.text());
    return found == by_address_.end() ? std::string() : found->second;
}

}  // namespace posthaste::rewrite
