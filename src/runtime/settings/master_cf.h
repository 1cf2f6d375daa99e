// runtime/settings/master_cf.h: master.cf, the list of services, as it is written.
//
//   service  type  private  unpriv  chroot  wakeup  maxproc  command + args
//   2525     inet  n        -       y       -       -        smtpd -o smtpd_timeout=60s -o { smtpd_banner = hello you }
//
// "-" is a column's default: private y, unprivileged y, chroot y, wakeup 0, maxproc that of the
// service. Lines are continued as in main.cf; of two lines with the same service and type the last
// holds. Which programs exist and how many processes they may have is master's knowledge
// (master/plan.h), not this reader's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/settings/main_cf.h"

namespace posthaste {

enum class ServiceType : uint8_t { inet, unix_stream, unix_dgram };

std::string_view name_of(ServiceType type) noexcept;

struct MasterCfService {
    Place place;
    std::string name;  // "2525", "127.0.0.1:smtp", "qmgr"
    ServiceType type = ServiceType::unix_stream;
    bool is_private = true;
    bool unprivileged = true;
    bool chroot = true;
    uint32_t wakeup_s = 0;
    bool wakeup_if_used = false;            // "300?": not before its first use
    std::optional<uint32_t> process_limit;  // none: "-"; 0: no limit
    std::string program;
    std::vector<MainCfEntry> overrides;  // "-o name=value", with this line's place
};

// Words of a line. "{ a b }" is one word, without its braces and the blanks beside them; `braced`
// tells it from a bare one, since only its inside may hold blanks around "=".
struct MasterCfWord {
    std::string text;
    bool braced = false;
};

// Nothing when braces do not balance.
std::optional<std::vector<MasterCfWord>> master_cf_words(std::string_view line);

struct MasterCf {
    std::string path;
    std::vector<MasterCfService> services;

    static MasterCf parse(std::string path, std::string_view text, Diagnostics& diagnostics);
    static MasterCf load(const std::string& path, Diagnostics& diagnostics);
};

}  // namespace posthaste
