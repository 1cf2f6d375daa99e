#include "lookup/transport_map.h"

#include "base/strings.h"

namespace posthaste {

bool TransportMap::open(std::string_view text, Options options, OpenReport& report) {
    if (!tables_.open(text, report)) return false;
    options_ = std::move(options);
    return true;
}

Result<std::optional<std::string>> TransportMap::find(std::string_view address) const {
    if (tables_.empty()) return std::optional<std::string>();
    const size_t at = address.rfind('@');
    const std::string_view local = address.substr(0, at);
    const std::string_view domain =
        at == std::string_view::npos ? std::string_view{} : address.substr(at + 1);

    auto found = tables_.find(address);
    if (!found || found->has_value()) return found;
    const size_t delimiter = local.find_first_of(options_.recipient_delimiter);
    if (delimiter != std::string_view::npos && delimiter > 0) {
        std::string plain(local.substr(0, delimiter));
        if (at != std::string_view::npos) plain.append(address.substr(at));
        found = tables_.find(plain);
        if (!found || found->has_value()) return found;
    }
    for (std::string_view key = domain; !key.empty();) {
        found = tables_.find(key);
        if (!found || found->has_value()) return found;
        const size_t dot = key.find('.', 1);
        if (dot == std::string_view::npos) break;
        key.remove_prefix(options_.parent_matches_subdomains ? dot + 1 : dot);
    }
    return tables_.find("*");
}

}  // namespace posthaste
