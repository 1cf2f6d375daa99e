// master.cf as somebody may have written it. Every line becomes a service or a remark that names
// it; what was read, written down again in plain form, is read as the same services.
#include <algorithm>

#include "runtime/settings/master_cf.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/line_mutator.h"

using namespace posthaste;

namespace {

constexpr std::string_view kLines[] = {
    "2525 inet n - y - - smtpd\n",
    "2525 inet n - y - 2 smtpd -o smtpd_timeout=60s\n",
    "  -o { smtpd_banner = hello you }\n",
    "cleanup unix n - y - 0 cleanup\n",
    "qmgr unix n - y 300? 1 qmgr\n",
    "smtp unix - - y - - smtp -o myhostname=a.b -v\n",
    "postlog unix-dgram n - n - 1 postlogd\n",
    "# comment\n",
    "showq unix n - y 10 - showq\n",
};

// Blanks, braces and emptiness are safe in braces only.
std::string word(const std::string& text) {
    const bool plain = !text.empty() && text.find_first_of(" \t{}") == std::string::npos;
    return plain ? text : "{ " + text + " }";
}

std::string written(const MasterCfService& service) {
    const auto flag = [](bool value) { return value ? " y" : " n"; };
    std::string out = word(service.name) + " " + std::string(name_of(service.type));
    out += flag(service.is_private);
    out += flag(service.unprivileged);
    out += flag(service.chroot);
    out += " " + std::to_string(service.wakeup_s) + (service.wakeup_if_used ? "?" : "");
    out += service.process_limit ? " " + std::to_string(*service.process_limit) : " -";
    out += " " + word(service.program);
    // A brace without its other one is safe in a bare word only.
    for (const MainCfEntry& entry : service.overrides) {
        const bool bare = entry.value.find_first_of(" \t") == std::string::npos;
        out += bare ? " -o " + entry.name + "=" + entry.value
                    : " -o { " + entry.name + " = " + entry.value + " }";
    }
    return out + "\n";
}

}  // namespace

POSTHASTE_LINE_MUTATOR(0, kLines)

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text = fuzz::text_of(data, size);
    Diagnostics diagnostics;
    const MasterCf master_cf = MasterCf::parse("master.cf", text, diagnostics);
    const size_t lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
    for (const Diagnostic& each : diagnostics.all())
        ASSERT(!each.text.empty() && each.place.line <= lines);
    std::string again;
    for (const MasterCfService& service : master_cf.services) {
        ASSERT(service.place.line >= 1 && service.place.line <= lines);
        ASSERT(service.program.find('/') == std::string::npos);
        ASSERT(service.type != ServiceType::inet || !service.is_private);
        again += written(service);
    }
    Diagnostics remarks;
    const MasterCf second = MasterCf::parse("master.cf", again, remarks);
    ASSERT(!remarks.has_errors() && second.services.size() == master_cf.services.size());
    for (size_t i = 0; i < second.services.size(); ++i)
        ASSERT(written(second.services[i]) == written(master_cf.services[i]));
    return 0;
}
