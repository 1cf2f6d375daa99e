#include "cleanup/cleanup/lent_message.h"

#include <algorithm>

namespace posthaste::cleanup {
namespace {

// Most header sections end within the first.
constexpr size_t kStepBytes = 2048;

}  // namespace

std::optional<uint64_t> lent_bytes(const Peers& peers, uint32_t owner_incarnation,
                                   const std::vector<wire::Extent>& content) {
    uint64_t total = 0;
    for (const wire::Extent& extent : content) {
        if (extent.incarnation != owner_incarnation || extent.length == 0) return std::nullopt;
        if (!peers.bytes(extent.incarnation, extent.first_block, extent.offset, extent.length))
            return std::nullopt;
        total += extent.length;
        if (total > wire::kContentBytesMax) return std::nullopt;
    }
    return total;
}

bool copy_header_section(const Peers& peers, const std::vector<wire::Extent>& content,
                         size_t bytes_max, std::string& out) {
    out.clear();
    for (const wire::Extent& extent : content) {
        const auto bytes =
            peers.bytes(extent.incarnation, extent.first_block, extent.offset, extent.length);
        if (!bytes) return false;
        for (size_t at = 0; at < bytes->size();) {
            const size_t step = std::min({kStepBytes, bytes->size() - at, bytes_max - out.size()});
            if (step == 0) return false;
            // The end may lie across the seam.
            const size_t look_from = out.size() < 3 ? 0 : out.size() - 3;
            out.append(bytes->substr(at, step));
            at += step;
            const bool ends =
                out.find("\r\n\r\n", look_from) != std::string::npos || out.starts_with("\r\n");
            if (ends && !(at == bytes->size() && &extent == &content.back())) return false;
        }
    }
    return true;
}

void append_extents_from(const std::vector<wire::Extent>& content, uint64_t offset,
                         std::vector<wire::Extent>& out) {
    for (const wire::Extent& extent : content) {
        if (offset >= extent.length) {
            offset -= extent.length;
            continue;
        }
        const uint64_t begin = extent.offset + offset;
        out.push_back({extent.incarnation,
                       extent.first_block + static_cast<uint32_t>(begin / kBlockBytes),
                       static_cast<uint32_t>(begin % kBlockBytes),
                       extent.length - static_cast<uint32_t>(offset)});
        offset = 0;
    }
}

}  // namespace posthaste::cleanup
