#include "walls/probe.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/sealed_memory.h"
#include "runtime/service_main.h"

#include "store/log_ring.h"

namespace posthaste::walls {
namespace {

Surroundings around;
size_t first_act = 0;
std::string own_root;

// One line a result, so that it is out before the next act kills.
void tell(const std::string& line) { (void)!::write(STDOUT_FILENO, line.data(), line.size()); }

void tell(size_t act, int result) {
    tell(std::to_string(act) + " " + std::to_string(result) + "\n");
}

// Each in a process of its own, while there may be such.
void try_apart(Moment moment) {
    around.moment = moment;
    around.root = moment == Moment::outside ? own_root : "";
    const auto acts = all_acts();
    for (size_t i = 0; i < acts.size(); ++i) {
        const pid_t child = ::fork();
        if (child == 0) ::_exit(acts[i].run(around));
        int status = 0;
        ::waitpid(child, &status, 0);
        tell(i, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
    }
    ::_exit(0);
}

// Of descriptors from that number on.
int find_listener(int descriptor) {
    for (; descriptor < 64; ++descriptor) {
        int accepts = 0;
        socklen_t length = sizeof(accepts);
        if (::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) == 0 &&
            accepts != 0)
            return descriptor;
    }
    return -1;
}

// By /proc of who has it: the walls do not stand yet. Writable, as it would be handed over.
int take_over(pid_t owner, int descriptor) {
    const std::string path = "/proc/" + std::to_string(owner) + "/fd/" + std::to_string(descriptor);
    return ::open(path.c_str(), O_RDWR | O_CLOEXEC);
}

std::string look_around(const ProbeOrders& orders) {
    around = orders.around;
    own_root = orders.around.root;
    around.peer_memory = take_over(around.master, orders.around.peer_memory);
    if (around.peer_memory < 0) return "the peer's memory is not there";
    const auto view = map_sealed_memory(around.peer_memory, around.peer_bytes);
    if (!view) return view.error().text();
    around.peer_view = *view;
    around.own_memory = take_over(around.master, orders.around.own_memory);
    around.listener = find_listener(kControlDescriptor + 1);
    around.other_listener = around.listener < 0 ? -1 : find_listener(around.listener + 1);
    learn_ring_layout();
    return {};
}

// What is a service for once it runs: it tries everything, and is no more.
class Intruder final : public Service {
 public:
    explicit Intruder(std::shared_ptr<store::LogRing> ring) : ring_(std::move(ring)) {}

    void attach(Peers&) override {
        around.root = "";
        const auto acts = all_acts();
        if (first_act == acts.size()) {
            tell("rings " + listed_operations() + "\n");
            ::_exit(0);
        }
        for (size_t i = first_act; i < acts.size(); ++i) tell(i, acts[i].run(around));
        ::_exit(0);
    }

    void on_peer_up(Peer&) override {}

    void on_peer_down(Peer&) override {}

    void on_record(Peer&, uint16_t, std::string_view) override {}

    void on_drain() override {}

    bool is_idle() const override { return true; }

 private:
    std::shared_ptr<store::LogRing> ring_;
};

// Has nothing in mind: shows that the start succeeds, or why it does not.
class Bystander final : public Service {
 public:
    void attach(Peers&) override {}

    void on_peer_up(Peer&) override {}

    void on_peer_down(Peer&) override {}

    void on_record(Peer&, uint16_t, std::string_view) override {}

    void on_drain() override {}

    bool is_idle() const override { return true; }
};

}  // namespace

std::vector<Act> all_acts() {
    std::vector<Act> out;
    for (const auto acts :
         {file_acts(), process_acts(), network_acts(), memory_acts(), ring_acts(), kernel_acts()})
        out.insert(out.end(), acts.begin(), acts.end());
    return out;
}

int run_probe(const ProbeOrders& orders) {
    first_act = orders.first_act;
    const SandboxProfile& profile = sandbox_profile(orders.role);
    ServiceStages stages;
    stages.prepare = [&](const control::Start&, const Settings&,
                         std::vector<std::string>&) -> std::string {
        if (!orders.tries) return {};
        if (std::string why = look_around(orders); !why.empty()) return why;
        if (orders.around.moment == Moment::outside) try_apart(Moment::outside);
        return {};
    };
    stages.make = [&](World&, std::string& why_not) -> std::unique_ptr<Service> {
        if (!orders.tries) return std::make_unique<Bystander>();
        if (orders.around.moment == Moment::entered) try_apart(Moment::entered);
        // What the roles themselves make before the filter comes.
        std::shared_ptr<store::LogRing> ring;
        if (orders.role == Role::store) {
            auto made = store::LogRing::create();
            if (!made) {
                why_not = made.error().text();
                return nullptr;
            }
            ring = std::move(*made);
        }
        if (profile.threads) start_early_thread();
        return std::make_unique<Intruder>(std::move(ring));
    };
    return run_service(orders.role, stages);
}

}  // namespace posthaste::walls
