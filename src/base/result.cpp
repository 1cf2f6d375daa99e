#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace posthaste {

const char* name_of(Errc code) noexcept {
    switch (code) {
        case Errc::os:
            return "system error";
        case Errc::malformed:
            return "malformed";
        case Errc::too_large:
            return "too large";
        case Errc::not_found:
            return "not found";
        case Errc::corrupt:
            return "corrupt";
        case Errc::no_space:
            return "no space";
        case Errc::closed:
            return "closed";
        case Errc::misbehaved:
            return "peer misbehaved";
        case Errc::unsupported:
            return "unsupported";
        case Errc::invalid_setting:
            return "invalid setting";
        case Errc::timed_out:
            return "timed out";
    }
    return "unknown error";
}

std::string Error::text() const {
    std::string out = where;
    if (!out.empty()) out += ": ";
    out += os_errno != 0 ? std::strerror(os_errno) : name_of(code);
    return out;
}

Error os_error(const char* where) noexcept {
    return {errno == ENOSPC || errno == EDQUOT ? Errc::no_space : Errc::os, errno, where};
}

}  // namespace posthaste
