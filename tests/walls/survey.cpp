// walls_survey: puts an intruder into the finished sandbox of every role and prints
// docs/security.md from what it could do; exit status 1 with a word on standard error when it could
// do what its role has no business with, or when `sandbox = strict` starts without a layer. Needs
// root.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <linux/io_uring.h>
#include <linux/landlock.h>
#include <set>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

#include "walls/layers.h"
#include "walls/stage.h"

namespace posthaste::walls {
namespace {

// From this version on it knows all that the sandbox asks of it.
constexpr long kLandlockVersion = 6;

int faults = 0;

void complain(const std::string& words) {
    std::fprintf(stderr, "walls: %s\n", words.c_str());
    ++faults;
}

std::string name_of_row(const RoleRow& row) { return std::string(name_of(row.role)); }

std::string shown(int result) {
    if (result == 0) return "**may**";
    if (result == kNothingToTry) return "–";
    if (result < 0) return "killed";
    return strerrorname_np(result);
}

bool is_granted(const Act& act, const RoleRow& row) {
    return act.granted != nullptr && act.granted(sandbox_profile(row.role));
}

void judge(const Act& act, const RoleRow& row, int result) {
    const bool granted = is_granted(act, row);
    if (result == kNothingToTry || granted == (result == 0)) return;
    complain(name_of_row(row) + " " + act.words + ": " + shown(result) +
             (granted ? ", but its role needs it" : ", which is not its role's business"));
}

// Without walls everything works, or is wrong in the way the act was meant to be. Root in a
// container may lack a right that a process of the same user has.
void judge_control(const Act& act, const RoleRow& row, int result, int entered) {
    if (result == act.outside_errno || entered == 0 ||
        (act.outside_errno == kNothingToTry && result == 0))
        return;
    if (result == ENOSYS) return;  // a kernel built without it
    complain(std::string("root, outside, as ") + name_of_row(row) + ", " + act.words + ": " +
             (result < 0 ? "killed" : strerrorname_np(result)) +
             "; what is refused here proves nothing within");
}

void print_head(const char* subject) {
    std::printf("| %s |", subject);
    for (const RoleRow& row : role_rows()) std::printf(" %s |", name_of_row(row).c_str());
    std::printf("\n|---|");
    for (size_t i = 0; i < role_rows().size(); ++i) std::printf("---|");
    std::printf("\n");
}

// Rings are not there yet; what the kernel lets anybody do depends on how the host is set.
bool is_shown_before_filter(std::string_view subject) {
    return subject != "Rings" && subject != "The kernel";
}

void print_table(const std::vector<std::vector<int>>& by_role, Moment moment) {
    const auto acts = all_acts();
    bool first = true;
    bool skipped = false;
    for (size_t i = 0; i < acts.size(); ++i) {
        if (acts[i].subject != nullptr) {
            skipped = moment == Moment::entered && !is_shown_before_filter(acts[i].subject);
            if (!skipped && !first) std::printf("\n");
            if (!skipped) print_head(acts[i].subject);
            first = false;
        }
        if (skipped) continue;
        std::printf("| %s |", acts[i].words);
        for (const auto& results : by_role) std::printf(" %s |", shown(results[i]).c_str());
        std::printf("\n");
    }
}

const char* name_of_operation(int number) {
    switch (number) {
        case IORING_OP_WRITEV:
            return "WRITEV";
        case IORING_OP_FSYNC:
            return "FSYNC";
        case IORING_OP_POLL_ADD:
            return "POLL_ADD";
        case IORING_OP_SYNC_FILE_RANGE:
            return "SYNC_FILE_RANGE";
        case IORING_OP_SENDMSG:
            return "SENDMSG";
        case IORING_OP_ACCEPT:
            return "ACCEPT";
        case IORING_OP_ASYNC_CANCEL:
            return "ASYNC_CANCEL";
        case IORING_OP_CONNECT:
            return "CONNECT";
        case IORING_OP_WRITE:
            return "WRITE";
        case IORING_OP_SEND:
            return "SEND";
        case IORING_OP_RECV:
            return "RECV";
        default:
            return nullptr;
    }
}

std::string by_name(const RoleRow& row, const std::string& numbers) {
    std::string out;
    size_t at = 0;
    while (at < numbers.size()) {
        if (numbers[at] == ' ' || numbers[at] == ';') {
            out += numbers[at++];
            continue;
        }
        const size_t end = numbers.find_first_of(" ;", at);
        const int number = std::atoi(numbers.substr(at, end - at).c_str());
        const char* const name = name_of_operation(number);
        if (name == nullptr)
            complain(name_of_row(row) + "'s ring lets operation " + std::to_string(number) + " in");
        out += name == nullptr ? std::to_string(number) : name;
        at = std::min(end, numbers.size());
    }
    return out;
}

void print_rings(Stage& stage) {
    std::printf("| | operations of its rings, found by trying every number |\n|---|---|\n");
    for (const RoleRow& row : role_rows()) {
        std::printf("| %s | %s |\n", name_of_row(row).c_str(),
                    by_name(row, stage.listed_operations(row)).c_str());
    }
}

void print_layers(Stage& stage) {
    const RoleRow& row = *row_of(Role::smtpd);
    std::printf(
        "| layer | takes away | when it is refused: `strict` | `best` |\n|---|---|---|---|\n");
    for (const Layer& layer : layers()) {
        const std::string name = layer.name;
        const auto strict = stage.start(row, SandboxMode::strict, layer.take_away);
        const auto best = stage.start(row, SandboxMode::best, layer.take_away);
        const bool strict_holds = !strict.ready && strict.words.find(name) != std::string::npos;
        const bool best_tells = best.ready && best.words.find(name) != std::string::npos;
        if (!strict_holds) complain("without " + name + " strict says: " + strict.words);
        if (!best_tells) complain("without " + name + " best says: " + best.words);
        std::printf("| %s | %s | %s | %s |\n", layer.name, layer.words,
                    strict_holds ? "does not start, names it" : "**starts**",
                    best_tells ? "starts, names it in the log" : "**silent**");
    }
    const auto whole = stage.start(row, SandboxMode::strict, {});
    if (!whole.ready || !whole.words.empty()) complain("with all layers: " + whole.words);
}

constexpr const char* kHead =
    "# What each process cannot do\n\n"
    "Made by `tests/walls/renew` from what an intruder found when it was put into the sandbox of "
    "each role and tried; "
    "`tests/system/walls_table_test.py`\n"
    "fails when it finds anything else. Change the sandbox (`src/runtime/sandbox*`, "
    "`system_call_filter.cpp`, "
    "`src/master/process_table.cpp`), not this page.\n\n"
    "Each service takes its place in the order below before it reads a byte of anybody's: an own "
    "root directory, its own "
    "user, no capability, its rings\n"
    "restricted to what it needs, a list of system calls. **may**: the role needs it, and the "
    "intruder could. killed: the "
    "process is at its end, and\n"
    "master starts another. A name such as EPERM: it was refused. –: the role has nothing to try "
    "it with. Master stands "
    "outside: it is root, reads the\n"
    "configuration and no mail, and takes bounded records from its children only.\n";

constexpr const char* kLayersHead =
    "\n## The layers\n\n"
    "Each stands alone. `sandbox = strict` does not start a service that lacks one; `sandbox = "
    "best`, the default, "
    "starts it, says so in the log and\n"
    "in `posthaste status`, and applies the others. Taken away one after the other, by refusing "
    "the call that puts it "
    "up (role: smtpd):\n\n";

constexpr const char* kWithoutHead =
    "\n## Were there no list of system calls\n\n"
    "The same acts after all other layers and before that last one. What this shows as **may** the "
    "list alone forbids; "
    "what it refuses is refused twice.\n"
    "Signals and abstract sockets are Landlock's since its version 6 (Linux 6.12), TCP ports since "
    "version 4. Rings are not made yet; what the kernel\n"
    "grants everybody depends on how the host is set, and is left out.\n\n";

constexpr const char* kTail =
    "\n## Not promised\n\n"
    "- A fault of the kernel in what a role may call. The lists keep that small; they do not make "
    "it nothing.\n"
    "- An intruder keeps what its role has: in smtpd the sessions of that process and the messages "
    "it is taking, in smtp "
    "those it is sending and the\n"
    "  store's arena, which it reads; in store the queue. It may connect where its role may, and "
    "say what it likes there.\n"
    "- It may do nothing, use its processor and fill its memory. Bounds and limits of the machine "
    "(cgroups) hold it, the "
    "sandbox does not.\n"
    "- Side channels of shared processors and caches.\n"
    "- That a liar is told from those it lies to. Who accuses two roles is restarted, two that "
    "accuse each other are introduced anew and then one\n"
    "  is restarted. One that keeps to a single role, of which there is one process, can have that "
    "one restarted as often as it could silence it by\n"
    "  saying nothing; master has no third witness.\n";

int print_page() {
    const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0UL, 1U);
    if (version < kLandlockVersion) {
        std::fprintf(
            stderr, "walls: this kernel's Landlock is version %ld; the page tells of version %ld\n",
            version, kLandlockVersion);
        return 77;
    }
    Stage stage;
    const auto acts = all_acts();
    std::vector<std::vector<int>> finished;
    std::vector<std::vector<int>> entered;
    for (const RoleRow& row : role_rows()) {
        const auto outside = stage.try_all(row, Moment::outside);
        entered.push_back(stage.try_all(row, Moment::entered));
        finished.push_back(stage.try_all(row, Moment::finished));
        for (size_t i = 0; i < acts.size(); ++i) {
            judge_control(acts[i], row, outside[i], entered.back()[i]);
            judge(acts[i], row, finished.back()[i]);
        }
    }
    std::printf("%s\n", kHead);
    print_table(finished, Moment::finished);
    std::printf("\n");
    print_rings(stage);
    std::printf("%s", kLayersHead);
    print_layers(stage);
    std::printf("%s", kWithoutHead);
    print_table(entered, Moment::entered);
    std::printf("%s", kTail);
    return faults == 0 ? 0 : 1;
}

}  // namespace
}  // namespace posthaste::walls

int main() { return posthaste::walls::print_page(); }
