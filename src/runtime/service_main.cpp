#include "runtime/service_main.h"

#include <csignal>
#include <optional>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

#include "runtime/counters.h"
#include "runtime/heartbeat.h"
#include "runtime/introduction.h"
#include "runtime/ring_log.h"
#include "runtime/sandbox.h"
#include "runtime/sandbox_profile.h"
#include "runtime/stderr_log.h"
#include "runtime/uring_loop.h"

namespace posthaste {
namespace {

// While draining, "idle" and "everything taken" are asked this often: nobody rings for them.
constexpr int64_t kDrainLookUs = 5 * kMsUs;
constexpr int64_t kRetireLookUs = 200 * kMsUs;
constexpr size_t kWarningBytesMax = 8192;  // as Judged's own bound
// How long a process that has nothing left to do waits for a peer that does not read.
constexpr int64_t kDrainPatienceUs = 2 * kSecondUs;

// Master speaks over the control socket; a signal is meant for the process group, or is none of
// ours.
void ignore_signals() {
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) std::signal(number, SIG_IGN);
}

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

// Who wakes up interrupts who is at work: turns are short then, and carry little. Under SCHED_BATCH
// he waits (bench/results/scheduling.md says what it brings, and what beside others' work it costs).
// Threads to come inherit it. What an administrator chose for master stays; refused, it costs speed
// only.
void schedule_as_batch() {
    const sched_param none{};
    if (::sched_getscheduler(0) == SCHED_OTHER) (void)::sched_setscheduler(0, SCHED_BATCH, &none);
}

class ServiceProcess final : PeerListener, Introductions::Listener, TurnListener {
 public:
    ServiceProcess(Role role, const ServiceStages& stages) : role_(role), stages_(stages) {}

    // All of them: empty, or why not.
    std::string read_orders();
    std::string start();

    bool is_judge() const noexcept { return start_.judge_only; }

    void tell_judgement();
    void run();
    void tell_stderr();

 private:
    std::string take_start();
    std::string read_settings();
    std::string map_memory();
    std::string enter_sandbox();
    std::string make_loop();
    std::string make_service();
    std::string close_sandbox();
    std::string judge_sandbox() const;
    void open_for_business();

    void on_control(const Event& event);
    void on_message(ControlMessage& message);
    void on_introduce(ControlMessage& message);
    void on_reload(ControlMessage& message);
    void on_drain(const ControlMessage& message);
    void on_master_gone();
    void drain(bool gently);
    void look_at_drain();

    template <class Record>
    void tell_master(const Record& record) {
        // Master may be gone; then nobody needs it.
        (void)send_control(kControlDescriptor, record);
    }

    // Peers' words: the log's link stays here, everything else is the service's.
    bool is_log(const Peer& peer) const noexcept {
        return peer.role() == Role::postlogd && role_ != Role::postlogd;
    }

    void on_peer_up(Peer& peer) override {
        is_log(peer) ? log_->on_postlogd_up(peer) : service_->on_peer_up(peer);
    }

    void on_peer_down(Peer& peer) override {
        is_log(peer) ? log_->on_postlogd_down(&peer) : service_->on_peer_down(peer);
    }

    void on_record(Peer& peer, uint16_t type, std::string_view body) override;

    void on_room(Peer& peer) override {
        if (!is_log(peer)) service_->on_room(peer);
    }

    bool wants_last(const Peer& peer, uint16_t type) override {
        return !is_log(peer) && service_->wants_last(peer, type);
    }

    void on_forgotten(Peer& reader, uint32_t incarnation) override {
        if (!is_log(reader)) service_->on_forgotten(reader, incarnation);
    }

    void on_misbehaviour(Role role, uint32_t incarnation, std::string_view what) override;
    void on_failed_introduction(Role role, uint32_t incarnation, std::string_view what) override;

    void on_turn_end() override {
        if (draining_ || master_is_gone_) look_at_drain();
    }

    const Role role_;
    const ServiceStages& stages_;
    ControlMessage start_message_;  // start_ is views of it
    control::Start start_;
    std::vector<Fd> listeners_;
    std::optional<Settings> settings_;
    std::vector<std::string> warnings_;  // of the prepare stage
    std::optional<CounterMapping> counters_;
    std::optional<Arena> arena_;
    std::optional<Sandbox> sandbox_;
    std::unique_ptr<UringLoop> loop_;
    std::optional<Heartbeat> heartbeat_;
    std::optional<RingLog> log_;
    std::optional<Peers> peers_;
    std::optional<Introductions> introductions_;
    std::optional<World> world_;
    std::unique_ptr<Service> service_;
    Completion control_done_{runner_of<&ServiceProcess::on_control, ServiceProcess>(), this};
    Timer drain_timer_{timer_calls<&ServiceProcess::look_at_drain, ServiceProcess>(), this};
    bool draining_ = false;
    bool gently_ = false;  // of draining_: sessions may take their time
    bool drained_ = false;
    bool master_is_gone_ = false;
    int64_t give_up_us_ = kNeverUs;
    int64_t idle_since_us_ = kNeverUs;
};

std::string ServiceProcess::read_orders() {
    const std::string why = take_start();
    return why.empty() ? read_settings() : why;
}

void ServiceProcess::tell_judgement() {
    std::string lines;
    for (const std::string& warning : warnings_) {
        if (lines.size() + warning.size() + 1 > kWarningBytesMax) break;
        lines += warning + "\n";
    }
    tell_master(control::Judged{lines});
}

std::string ServiceProcess::start() {
    using Step = std::string (ServiceProcess::*)();
    constexpr Step steps[] = {
        &ServiceProcess::map_memory,   &ServiceProcess::enter_sandbox, &ServiceProcess::make_loop,
        &ServiceProcess::make_service, &ServiceProcess::close_sandbox,
    };
    for (const Step step : steps) {
        if (std::string why = (this->*step)(); !why.empty()) return why;
    }
    open_for_business();
    return {};
}

std::string ServiceProcess::take_start() {
    const auto received = receive_control(kControlDescriptor, start_message_, ControlWait::yes);
    if (!received)
        return "started by hand? Services are started by 'posthaste start' (" +
               received.error().text() + ")";
    if (start_message_.type != control::Start::kType ||
        !wire::decode(start_message_.body, start_)) {
        return "master speaks another version of the control protocol";
    }
    if (start_.role != role_) {
        return "this program is " + std::string(name_of(role_)) + ", not " +
               std::string(name_of(start_.role));
    }
    auto& fds = start_message_.fds;
    if (fds.size() != control::Start::kFixedFds + start_.listeners.size())
        return "wrong number of descriptors";
    for (size_t i = control::Start::kFixedFds; i < fds.size(); ++i)
        listeners_.push_back(std::move(fds[i]));
    return {};
}

std::string ServiceProcess::read_settings() {
    const auto text = read_snapshot(start_message_.fds[0].get());
    if (!text) return text.error().text();
    auto parsed = Settings::parse_snapshot(*text);
    if (!parsed) return "settings: " + parsed.error().text();
    settings_.emplace(std::move(*parsed));
    if (settings_->text("process_scheduling") == "batch") schedule_as_batch();
    return stages_.prepare ? stages_.prepare(start_, *settings_, warnings_) : std::string();
}

std::string ServiceProcess::map_memory() {
    auto counters = CounterMapping::map(start_message_.fds[1].get(), CounterMapping::Access::write);
    if (!counters) return counters.error().text();
    counters_.emplace(std::move(*counters));
    set_owner(counters_->page(), name_of(role_), static_cast<uint32_t>(::getpid()));
    start_message_.fds.clear();
    if (start_.arena_bytes == 0) return {};
    auto arena = Arena::create(start_.incarnation, start_.arena_bytes);
    if (!arena) return "arena: " + arena.error().text();
    arena_.emplace(std::move(*arena));
    return {};
}

std::string ServiceProcess::enter_sandbox() {
    sandbox_.emplace(SandboxOptions{sandbox_profile(role_), start_.user_id, start_.group_id,
                                    std::string(start_.chroot_dir), start_.network});
    const auto entered = sandbox_->enter();
    return entered ? judge_sandbox() : "sandbox: " + entered.error().text();
}

std::string ServiceProcess::judge_sandbox() const {
    if (start_.sandbox != SandboxMode::strict || sandbox_->missing().empty()) return {};
    return "sandbox = strict, but not all of it can be applied: " + sandbox_->missing_text();
}

std::string ServiceProcess::make_loop() {
    const SandboxProfile& profile = sandbox_profile(role_);
    UringOptions options;
    options.accept = !listeners_.empty();
    options.connect = profile.connects;
    options.receive = options.accept || options.connect;
    options.send = options.receive || profile.files;  // postlogd's file may be a socket
    options.files = profile.files;
    auto loop = UringLoop::create(options);
    if (!loop) return "io_uring: " + loop.error().text() + "; " + uring_remedy(loop.error());
    loop_ = std::move(*loop);
    heartbeat_.emplace(*loop_, counters_->page());

    log_.emplace(*loop_, settings_->text("syslog_name") + "/" + std::string(name_of(role_)),
                 static_cast<uint32_t>(::getpid()));
    peers_.emplace(*loop_, static_cast<PeerListener&>(*this));
    introductions_.emplace(
        *loop_, *peers_,
        Introductions::Self{role_, start_.incarnation, arena_ ? &*arena_ : nullptr},
        static_cast<Introductions::Listener&>(*this));
    world_.emplace(World{*loop_, *log_, counters_->page(), *settings_, arena_ ? &*arena_ : nullptr,
                         start_.instance, start_.incarnation, start_.service_name});
    return {};
}

std::string ServiceProcess::make_service() {
    std::string why_not;
    service_ = stages_.make(*world_, why_not);
    if (!service_) return why_not.empty() ? "the service could not be made" : why_not;
    for (const std::string& warning : warnings_) log_->warning(warning);
    log_->set_own_reader(this, [](void* self, const wire::LogLine& line) {
        return static_cast<ServiceProcess*>(self)->service_->on_own_line(line);
    });
    return {};
}

std::string ServiceProcess::close_sandbox() {
    sandbox_->close();
    return judge_sandbox();
}

void ServiceProcess::open_for_business() {
    service_->attach(*peers_);
    for (size_t i = 0; i < listeners_.size(); ++i) {
        service_->on_listener(start_.listeners[i].name, Socket{listeners_[i].release()});
    }
    loop_->add_listener(*this);
    loop_->watch(control_done_, kControlDescriptor);
    const std::string missing = sandbox_->missing_text();
    if (!missing.empty()) log_->warning("sandbox: not applied: " + missing);
    control::Ready ready;
    ready.missing_layers = std::string_view(missing).substr(0, 1024);
    tell_master(ready);
}

void ServiceProcess::run() {
    loop_->run();
    // What is left has nobody to answer to: completions are void, then the service goes, then the
    // process.
    loop_->abandon_all();
    service_.reset();
    tell_stderr();
}

// Lines that found no postlogd.
void ServiceProcess::tell_stderr() {
    if (!log_) return;
    StderrLog last_resort(settings_->text("syslog_name") + "/" + std::string(name_of(role_)));
    log_->visit_waiting(
        [&](const wire::LogEntry& entry) { last_resort.line(entry.severity, entry.text); });
}

void ServiceProcess::on_control(const Event& event) {
    ControlMessage message;
    while (!master_is_gone_) {
        const auto received = receive_control(kControlDescriptor, message);
        if (received && !*received) break;
        if (received) {
            on_message(message);
            continue;
        }
        on_master_gone();
    }
    if (event.last && !master_is_gone_) loop_->watch(control_done_, kControlDescriptor);
}

// Nobody restarts what dies from now on: finish and go, in the order in which master would have
// stopped us, and within the time it would have given.
void ServiceProcess::on_master_gone() {
    master_is_gone_ = true;
    log_->warning("master is gone: finishing what is held");
    give_up_us_ = loop_->now_us() + settings_->time_us("stop_time_limit");
    loop_->timers().set(drain_timer_, loop_->now_us());
}

void ServiceProcess::on_message(ControlMessage& message) {
    switch (message.type) {
        case control::Introduce::kType:
            return on_introduce(message);
        case control::Reload::kType:
            return on_reload(message);
        case control::Drain::kType:
            return on_drain(message);
        case control::Wakeup::kType:
            return service_->on_wakeup();
        case control::Forget::kType:
            if (control::Forget forget; wire::decode(message.body, forget))
                introductions_->forget(forget);
            return;
        default:
            log_->error("unknown message from master: type " + std::to_string(message.type));
    }
}

void ServiceProcess::on_introduce(ControlMessage& message) {
    control::Introduce terms;
    if (!wire::decode(message.body, terms) || message.fds.size() != 1)
        return log_->error("malformed introduction");
    introductions_->introduce(terms, std::move(message.fds[0]));
}

void ServiceProcess::on_reload(ControlMessage& message) {
    if (message.fds.size() != 1) return log_->error("malformed reload");
    const auto text = read_snapshot(message.fds[0].get());
    if (!text) return log_->error("reload: " + text.error().text());
    auto parsed = Settings::parse_snapshot(*text);
    if (!parsed) return log_->error("reload: settings: " + parsed.error().text());
    *settings_ = std::move(*parsed);
    service_->on_settings(*settings_);
}

void ServiceProcess::on_drain(const ControlMessage& message) {
    control::Drain order;
    drain(wire::decode(message.body, order) && order.gently);
}

// Gently first and now later, but not the other way round.
void ServiceProcess::drain(bool gently) {
    if (draining_ && (gently || !gently_)) return;
    draining_ = true;
    gently_ = gently;
    gently ? service_->on_retire() : service_->on_drain();
    loop_->timers().set(drain_timer_, loop_->now_us());
}

void ServiceProcess::look_at_drain() {
    if (drained_) return;
    if (master_is_gone_ && !peers_->has_any(start_.stop_after)) drain(false);
    if (!draining_ || !service_->is_idle()) {
        idle_since_us_ = kNeverUs;
    } else if (idle_since_us_ == kNeverUs) {
        idle_since_us_ = loop_->now_us();
    }
    const bool idle = idle_since_us_ != kNeverUs;
    if (idle && (peers_->all_consumed() || loop_->now_us() - idle_since_us_ > kDrainPatienceUs)) {
        drained_ = true;
        tell_master(control::Drained{});
        return loop_->stop();
    }
    if (loop_->now_us() >= give_up_us_) {
        log_->warning("did not finish within stop_time_limit: giving up");
        drained_ = true;
        return loop_->stop();
    }
    if (!drain_timer_.is_set())
        loop_->timers().set(drain_timer_,
                            loop_->now_us() + (gently_ ? kRetireLookUs : kDrainLookUs));
}

void ServiceProcess::on_record(Peer& peer, uint16_t type, std::string_view body) {
    if (!is_log(peer)) return service_->on_record(peer, type, body);
    peers_->misbehaved(peer, "postlogd has nothing to say");
}

void ServiceProcess::on_misbehaviour(Role role, uint32_t incarnation, std::string_view what) {
    log_->warning(std::string(name_of(role)) + " is heard no more: " + std::string(what));
    tell_master(control::PeerMisbehaved{incarnation, what.substr(0, 512), true});
}

void ServiceProcess::on_failed_introduction(Role role, uint32_t incarnation,
                                            std::string_view what) {
    log_->warning("no link to " + std::string(name_of(role)) + ": " + std::string(what));
    tell_master(control::PeerMisbehaved{incarnation, what.substr(0, 512), false});
}

}  // namespace

int run_service(Role role, const ServiceStages& stages) {
    close_inherited_descriptors();
    ignore_signals();
    raise_descriptor_limit();
    // Never destroyed: at the end the kernel takes everything back, in any order.
    auto& process = *new ServiceProcess(role, stages);
    std::string why = process.read_orders();
    if (why.empty() && process.is_judge()) {
        process.tell_judgement();
        ::_exit(0);
    }
    if (why.empty()) why = process.start();
    if (!why.empty()) {
        process.tell_stderr();
        StderrLog("posthaste/" + std::string(name_of(role))).fatal(why);
        control::Failed failed;
        failed.text = std::string_view(why).substr(0, 4096);
        (void)send_control(kControlDescriptor, failed);
        ::_exit(1);
    }
    process.run();
    ::_exit(0);
}

int run_service(Role role, const std::function<std::unique_ptr<Service>(World& world)>& make) {
    return run_service(role, {.prepare = nullptr,
                              .make = [&](World& world, std::string&) { return make(world); }});
}

}  // namespace posthaste
