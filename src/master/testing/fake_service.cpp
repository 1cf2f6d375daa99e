// A service that speaks master's language and does nothing else, for supervisor_test.cpp. It writes
// what it hears, one line an event, to $POSTHASTE_FAKE_DIR/events, and behaves as the first word of
// $POSTHASTE_FAKE_DIR/<program>.behaviour says:
//   fail    says Failed and exits        die     exits at once
//   object  finds fault with settings whose banner is "bad"; ponder: never says what it finds
//   hang    works once, in a turn that never ends
//   linger  never becomes ready
//   accuse  finds fault with every qmgr (rewrite: with every smtpd) it has met
//   shun    meets none of these                 slander  accuses the first children of master's
//   anything else, or no such file: works
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <string>
#include <unistd.h>

#include "runtime/control.h"
#include "runtime/counters.h"
#include "runtime/settings/settings.h"

namespace {

using namespace posthaste;

std::string g_self;

std::string directory() {
    const char* const name = std::getenv("POSTHASTE_FAKE_DIR");
    return name == nullptr ? "." : name;
}

void note(const std::string& event) {
    const std::string line = g_self + " " + event + "\n";
    const int fd =
        ::open((directory() + "/events").c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    (void)!::write(fd, line.data(), line.size());
    ::close(fd);
}

std::string behaviour(const std::string& program) {
    std::string word;
    std::ifstream(directory() + "/" + program + ".behaviour") >> word;
    return word;
}

std::string banner_of(int snapshot) {
    const auto text = read_snapshot(snapshot);
    const auto settings = text ? Settings::parse_snapshot(*text) : Result<Settings>(text.error());
    return settings ? settings->text("smtpd_banner") : "unreadable";
}

int judge(const std::string& program, const std::string& banner) {
    if (behaviour(program) == "ponder") ::pause();
    if (behaviour(program) == "object" && banner == "bad") {
        (void)send_control(kControlDescriptor, control::Failed{"smtpd_banner: it is bad"});
        return 1;
    }
    (void)send_control(kControlDescriptor,
                       control::Judged{banner == "odd" ? "smtpd_banner: it is odd\n" : ""});
    return 0;
}

void note_introduction(const control::Introduce& peer) {
    note("introduce " + std::string(name_of(peer.peer_role)) + " " +
         std::to_string(peer.peer_incarnation) + " " + std::to_string(peer.own_ring_bytes) + " " +
         std::to_string(peer.peer_ring_bytes) + " " + std::to_string(peer.we_lend_arena) + " " +
         std::to_string(peer.we_read_arena));
}

}  // namespace

int main(int, char** argv) {
    const std::string program = argv[0];
    if (behaviour(program) == "die") {
        (void)!::write(2, "aaargh\n", 7);
        return 3;
    }
    ControlMessage message;
    const auto got = receive_control(kControlDescriptor, message, ControlWait::yes);
    control::Start start;
    if (!got || !*got || !wire::decode(message.body, start)) return 2;
    if (start.judge_only) return judge(program, banner_of(message.fds[0].get()));
    g_self = std::string(name_of(start.role)) + "/" + std::to_string(start.instance) + "#" +
             std::to_string(start.incarnation);
    note("start listeners=" + std::to_string(message.fds.size() - control::Start::kFixedFds) +
         " banner=" + banner_of(message.fds[0].get()));
    if (behaviour(program) == "fail") {
        (void)send_control(kControlDescriptor, control::Failed{"the moon is in the wrong quarter"});
        return 1;
    }
    if (behaviour(program) == "linger") ::pause();
    const auto page = CounterMapping::map(message.fds[1].get(), CounterMapping::Access::write);
    if (!page) return 2;
    if (behaviour(program) != "hang") page->page().beat = 1;  // asleep, whenever somebody looks
    constexpr CounterRow kRows[] = {{"lives", "lives", "Begun."},
                                    {"alive", "lives", "Now.", CounterKind::gauge}};
    Counters counters(page->page(), kRows);
    counters.add(0);
    counters.set(1, 1);
    note("ready");  // before it is said: who hears it may act on it at once
    (void)send_control(kControlDescriptor, control::Ready{});
    for (uint32_t incarnation = 1; behaviour(program) == "slander" && incarnation < 4;
         ++incarnation)
        (void)send_control(kControlDescriptor,
                           control::PeerMisbehaved{incarnation, "talks nonsense", true});
    if (behaviour(program) == "invent")
        (void)send_control(kControlDescriptor,
                           control::PeerMisbehaved{UINT32_MAX, "talks nonsense", true});
    for (int words = 0; behaviour(program) == "mourn" && words < 2000; ++words) {
        const control::PeerMisbehaved accusation{start.incarnation - 1, "talks nonsense", true};
        while (!send_control(kControlDescriptor, accusation)) ::poll(nullptr, 0, 1);
    }
    while (receive_control(kControlDescriptor, message, ControlWait::yes)) {
        control::Introduce introduce;
        control::Forget forget;
        if (message.type == control::Introduce::kType && wire::decode(message.body, introduce))
            note_introduction(introduce);
        const Role disliked = start.role == Role::rewrite ? Role::smtpd : Role::qmgr;
        const std::string how = behaviour(program);
        if (message.type == control::Introduce::kType &&
            (introduce.peer_role == disliked || how == "accuse-all")) {
            if (how == "babble") {
                (void)send_control_bytes(kControlDescriptor, 4711, "", {});
                (void)send_control(
                    kControlDescriptor,
                    control::PeerMisbehaved{introduce.peer_incarnation, "talks nonsense", true});
            }
            if (how == "accuse" || how == "accuse-all" || how == "shun")
                (void)send_control(kControlDescriptor,
                                   control::PeerMisbehaved{introduce.peer_incarnation,
                                                           "talks nonsense", how != "shun"});
        }
        if (message.type == control::Forget::kType && wire::decode(message.body, forget))
            note("forget " + std::to_string(forget.incarnation) +
                 (forget.lent_on ? " lent on" : ""));
        if (message.type == control::Reload::kType)
            note("reload banner=" + banner_of(message.fds[0].get()));
        if (message.type == control::Wakeup::kType) note("wakeup");
        control::Drain drain;
        if (message.type == control::Drain::kType && wire::decode(message.body, drain)) {
            if (drain.gently) {
                note("retire");  // as one whose client stays for ever
                continue;
            }
            note("drain");
            (void)send_control(kControlDescriptor, control::Drained{});
            return 0;
        }
    }
    note("orphan");
    return 0;
}
