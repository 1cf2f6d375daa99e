#include "walls/stage.h"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"

#include "runtime/counters.h"
#include "runtime/sealed_memory.h"
#include "runtime/settings/settings.h"

namespace posthaste::walls {
namespace {

constexpr uint32_t kFirstUser = 64101;
constexpr uint64_t kSegmentBytes = 64 * 1024;
constexpr int kPatienceMs = 60'000;

// In every process that is forked from here at the same place.
uint64_t victims_word = 0;

[[noreturn]] void give_up(const char* what) {
    std::fprintf(stderr, "walls: %s: %s\n", what, std::strerror(errno));
    std::exit(2);
}

sockaddr_un unix_address(const std::string& name) {
    sockaddr_un out{};
    out.sun_family = AF_UNIX;
    std::memcpy(out.sun_path, name.data(), name.size());
    return out;
}

Fd listening(const sockaddr* address, socklen_t length) {
    Fd socket(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket || ::bind(socket.get(), address, length) != 0 ||
        ::listen(socket.get(), SOMAXCONN) != 0)
        give_up("a host's socket");
    return socket;
}

Fd listening_unix(const std::string& name) {
    const sockaddr_un address = unix_address(name);
    return listening(reinterpret_cast<const sockaddr*>(&address),
                     static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size()));
}

Fd listening_tcp(uint16_t& port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    Fd socket = listening(reinterpret_cast<const sockaddr*>(&address), length);
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port = ntohs(address.sin_port);
    return socket;
}

bool readable(int descriptor) {
    pollfd wanted{descriptor, POLLIN, 0};
    return ::poll(&wanted, 1, kPatienceMs) == 1;
}

}  // namespace

uint32_t user_of(const RoleRow& row) {
    uint32_t user = kFirstUser;
    for (const RoleRow& other : role_rows()) {
        if (other.user_parameter == row.user_parameter) break;
        ++user;
    }
    return user;
}

Stage::Stage() {
    if (::geteuid() != 0) {
        std::fprintf(stderr, "walls: needs root\n");
        std::exit(2);
    }
    char name[] = "/var/tmp/posthaste-walls-XXXXXX";
    if (::mkdtemp(name) == nullptr) give_up("a directory");
    directory_ = name;
    if (::chmod(name, 0755) != 0) give_up("a directory");
    listen_as_host();
}

Stage::~Stage() {
    for (const auto& [user, pid] : victims_) {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

void Stage::listen_as_host() {
    sockets_.push_back(listening_tcp(tcp_port_));
    unix_path_ = directory_ + "/socket";
    sockets_.push_back(listening_unix(unix_path_));
    if (::chmod(unix_path_.c_str(), 0777) != 0) give_up("a host's socket");
    abstract_name_ = "posthaste-walls-" + std::to_string(::getpid());
    sockets_.push_back(listening_unix('\0' + abstract_name_));
}

pid_t Stage::waiting_process(uint32_t user) {
    if (const auto found = victims_.find(user); found != victims_.end()) return found->second;
    const pid_t survey = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) {
        if (::setgroups(0, nullptr) != 0 || ::setresgid(user, user, user) != 0 ||
            ::setresuid(user, user, user) != 0)
            ::_exit(1);
        ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (::getppid() == survey) ::pause();
        ::_exit(0);
    }
    victims_[user] = pid;
    return pid;
}

// Fresh each time: some acts remove what is there. A role without files finds one all the same.
std::string Stage::make_directory(const RoleRow& row) {
    const std::string path = directory_ + "/root";
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
    const uint32_t owner = sandbox_profile(row.role).files ? user_of(row) : 0;
    const std::string file = path + "/file";
    if (::mkdir(path.c_str(), 0755) != 0) give_up("a root directory");
    const Fd made(::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    if (!made || ::fchown(made.get(), owner, owner) != 0 ||
        ::chown(path.c_str(), owner, owner) != 0)
        give_up("a root directory");
    return path;
}

Fd Stage::make_memory(bool sealed) {
    if (sealed) {
        auto memory = create_sealed_memory("segment", kSegmentBytes);
        if (!memory) give_up("a segment");
        return std::move(memory->memfd);
    }
    Fd memory(::memfd_create("segment", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!memory || ::ftruncate(memory.get(), kSegmentBytes) != 0) give_up("a segment");
    return memory;
}

ProbeOrders Stage::orders_for(const RoleRow& row, Moment moment) {
    ProbeOrders orders;
    orders.role = row.role;
    Surroundings& around = orders.around;
    around.moment = moment;
    around.twin = waiting_process(user_of(row));
    for (const RoleRow& other : role_rows()) {
        if (other.user_parameter != row.user_parameter)
            around.stranger = waiting_process(user_of(other));
    }
    around.master = ::getpid();
    around.twin_address = reinterpret_cast<uintptr_t>(&victims_word);
    around.tcp_port = tcp_port_;
    around.unix_path = unix_path_;
    around.abstract_name = abstract_name_;
    around.peer_bytes = kSegmentBytes;
    return orders;
}

Stage::Run Stage::run(const RoleRow& row, const ProbeOrders& orders, SandboxMode mode,
                      const std::function<void()>& before) {
    Run out;
    auto control = make_control_pair();
    int ends[2];
    if (!control || ::pipe2(ends, O_CLOEXEC) != 0) give_up("a control socket");
    const Fd output(ends[0]);
    Fd output_end(ends[1]);

    const std::string root = make_directory(row);
    const Settings settings = Settings::initial();
    const auto snapshot = make_snapshot(settings.snapshot());
    const auto counters = create_counter_page();
    if (!snapshot || !counters) give_up("what a service is given");
    control::Start start;
    start.role = row.role;
    start.service_name = name_of(row.role);
    start.incarnation = 1;
    start.user_id = start.group_id = user_of(row);
    start.chroot_dir = root;
    start.network = sandbox_profile(row.role).network;
    start.sandbox = mode;
    start.arena_bytes = row.arena_parameter.empty() ? 0 : 1024 * 1024;
    std::vector<int> descriptors = {snapshot->get(), counters->get()};
    std::vector<Fd> listeners;
    for (const char* const name : {"listener", "other"}) {
        if (row.listens == Listens::nothing) break;
        uint16_t port = 0;
        listeners.push_back(row.role == Role::smtpd ? listening_tcp(port)
                                                    : listening_unix(root + "/" + name));
        start.listeners.push_back({name});
        descriptors.push_back(listeners.back().get());
    }

    const pid_t pid = ::fork();
    if (pid < 0) give_up("fork");
    if (pid == 0) {
        ::dup2(output_end.get(), STDOUT_FILENO);
        ::dup2(control->second.get(), kControlDescriptor);
        ProbeOrders mine = orders;
        mine.around.root = root;
        if (before) before();
        // What it says of a layer that is missing is in its answer.
        if (!orders.tries) ::close(STDERR_FILENO);
        ::_exit(run_probe(mine));
    }
    output_end.reset();
    control->second.reset();
    if (!send_control(control->first.get(), start, std::span<const int>(descriptors)))
        give_up("Start");
    ControlMessage message;
    if (!orders.tries && readable(control->first.get())) {
        const auto received = receive_control(control->first.get(), message);
        if (received && *received) out.first_words = std::move(message);
        ::kill(pid, SIGKILL);
    }
    std::array<char, 4096> part;
    for (ssize_t got = 0; (got = ::read(output.get(), part.data(), part.size())) > 0;)
        out.output.append(part.data(), static_cast<size_t>(got));
    ::waitpid(pid, &out.status, 0);
    return out;
}

std::vector<int> Stage::try_all(const RoleRow& row, Moment moment) {
    const size_t count = all_acts().size();
    std::vector<int> results;
    const Fd peer = make_memory(moment != Moment::outside);
    const Fd own = make_memory(moment != Moment::outside);
    while (results.size() < count) {
        ProbeOrders orders = orders_for(row, moment);
        orders.first_act = results.size();
        orders.around.peer_memory = peer.get();
        orders.around.own_memory = own.get();
        const Run run = this->run(row, orders, SandboxMode::strict, {});
        size_t at = 0;
        for (unsigned act = 0, used = 0; at < run.output.size(); at += used) {
            int result = 0;
            int length = 0;
            if (std::sscanf(run.output.c_str() + at, "%u %d\n%n", &act, &result, &length) < 2 ||
                act != results.size())
                give_up("a result");
            used = static_cast<unsigned>(length);
            results.push_back(result);
        }
        if (results.size() == count) break;
        // It died of the next one. (Before the first: it did not start.)
        if (!WIFSIGNALED(run.status)) {
            std::fprintf(stderr, "walls: %s does not start\n",
                         std::string(name_of(row.role)).c_str());
            std::exit(2);
        }
        results.push_back(-WTERMSIG(run.status));
    }
    return results;
}

std::string Stage::listed_operations(const RoleRow& row) {
    const Fd memory = make_memory(true);
    ProbeOrders orders = orders_for(row, Moment::finished);
    orders.first_act = all_acts().size();
    orders.around.peer_memory = orders.around.own_memory = memory.get();
    const std::string output = run(row, orders, SandboxMode::strict, {}).output;
    constexpr std::string_view kHead = "rings ";
    if (!output.starts_with(kHead)) give_up("the list of operations");
    return output.substr(kHead.size(), output.size() - kHead.size() - 1);
}

Stage::Started Stage::start(const RoleRow& row, SandboxMode mode,
                            const std::function<void()>& before) {
    ProbeOrders orders;
    orders.role = row.role;
    orders.tries = false;
    const Run run = this->run(row, orders, mode, before);
    Started out;
    if (!run.first_words) return out;
    if (control::Ready ready; run.first_words->type == control::Ready::kType &&
                              wire::decode(run.first_words->body, ready)) {
        out.ready = true;
        out.words = ready.missing_layers;
    }
    if (control::Failed failed; run.first_words->type == control::Failed::kType &&
                                wire::decode(run.first_words->body, failed))
        out.words = failed.text;
    return out;
}

}  // namespace posthaste::walls
