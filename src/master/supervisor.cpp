#include "master/supervisor.h"

#include <algorithm>
#include <array>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"

#include "master/command_socket.h"

namespace posthaste {

namespace {

constexpr int64_t kTurnMaxUs = 1 * kSecondUs;
constexpr int64_t kLooksATimeout = 8;

// Sessions by the thousand need descriptors by the thousand; children inherit the limit.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int64_t steady_us() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return int64_t{now.tv_sec} * kSecondUs + now.tv_nsec / 1000;
}

Supervisor::Supervisor(Plan plan, Options options, MasterLog& log)
    : plan_(std::move(plan)), options_(std::move(options)), log_(log) {}

int Supervisor::run() {
    started_us_ = steady_us();
    if (!prepare()) return 1;
    while (!done_) turn();
    log_.finish();
    return failed_ ? 1 : 0;
}

bool Supervisor::prepare() {
    raise_descriptor_limit();
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGHUP, SIGINT, SIGTERM, SIGQUIT}) sigaddset(&set, number);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));

    std::string fault;
    const std::string& queue = plan_.settings.text("queue_directory");
    if (!signals_) fault = os_error("signalfd").text();
    if (fault.empty()) listeners_.open(plan_, fault);
    if (fault.empty()) {
        auto socket = open_command_socket(queue + "/private/master");
        if (socket)
            command_socket_ = std::move(*socket);
        else
            fault = socket.error().text();
    }
    if (!fault.empty()) {
        tell_outcome(fault);
        log_.fatal(fault);
        return false;
    }
    const bool has_postlog = std::any_of(plan_.services.begin(), plan_.services.end(),
                                         [](const PlannedService& service) {
                                             return service.row->role == Role::postlogd &&
                                                    service.entry.type == ServiceType::unix_dgram;
                                         });
    const auto postlog = std::find_if(
        plan_.services.begin(), plan_.services.end(),
        [](const PlannedService& service) { return service.row->role == Role::postlogd; });
    log_.configure(has_postlog ? queue + (postlog->entry.is_private ? "/private/" : "/public/") +
                                     postlog->entry.name
                               : "",
                   plan_.settings.text("syslog_name"));
    log_.info("daemon started -- version " + plan_.settings.text("mail_version") +
              ", configuration " + plan_.config_directory);
    for (const PlannedService& service : plan_.services)
        for (unsigned worker = 0; worker < service.process_count; ++worker) {
            Slot slot;
            slot.service_key = service.key();
            slot.worker = worker;
            slots_.push_back(std::move(slot));
        }
    arm_wakeups();
    phase_deadline_us_ = steady_us() + plan_.settings.time_us("start_time_limit");
    return true;
}

void Supervisor::turn() {
    start_due();
    log_.flush();

    std::vector<pollfd> waits = {{signals_.get(), POLLIN, 0}, {command_socket_.get(), POLLIN, 0}};
    std::vector<uint32_t> incarnations;
    for_each_child([&](Child& child) {
        incarnations.push_back(child.identity().incarnation);
        waits.push_back({child.control(), POLLIN, 0});
        waits.push_back({child.error_output(), POLLIN, 0});
        waits.push_back({child.pidfd(), POLLIN, 0});
    });
    if (pending_) pending_->judgement->add_waits(waits);
    const int64_t wait_us = std::clamp<int64_t>(next_deadline_us() - steady_us(), 0, kTurnMaxUs);
    ::poll(waits.data(), waits.size(), static_cast<int>((wait_us + kMsUs - 1) / kMsUs));

    if (waits[0].revents != 0) on_signals();
    if (waits[1].revents != 0) on_command();
    if (pending_ && pending_->judgement->look()) finish_judgement();
    for (size_t i = 0; i < incarnations.size(); ++i) {
        const pollfd* of_child = &waits[2 + 3 * i];
        // Looked up anew each time: handling one child may have ended another.
        if (Child* child = find(incarnations[i]); child && of_child[0].revents != 0)
            on_messages(*child);
        if (Child* child = find(incarnations[i]); child && of_child[1].revents != 0)
            on_error_output(*child);
        if (Child* child = find(incarnations[i]); child && of_child[2].revents != 0)
            on_exit(*child);
    }
    on_time();
    if (phase_ == Phase::stopping) advance_stop();
}

int64_t Supervisor::next_deadline_us() const {
    int64_t deadline_us = phase_ == Phase::running ? kNeverUs : phase_deadline_us_;
    deadline_us = std::min(deadline_us, next_look_us_);
    for (const Slot& slot : slots_) {
        if (!slot.child && slot.wanted) deadline_us = std::min(deadline_us, slot.start_at_us);
        if (slot.child && slot.child->kill_at_us > 0)
            deadline_us = std::min(deadline_us, slot.child->kill_at_us);
        if (slot.child && slot.child->retire_at_us > 0)
            deadline_us = std::min(deadline_us, slot.child->retire_at_us);
    }
    for (const Wakeup& wakeup : wakeups_) deadline_us = std::min(deadline_us, wakeup.at_us);
    if (pending_) deadline_us = std::min(deadline_us, pending_->judgement->deadline_us());
    return deadline_us;
}

void Supervisor::on_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
        const int number = static_cast<int>(info.ssi_signo);
        if (number == SIGHUP) {
            if (phase_ != Phase::stopping) reload();
        } else if (number == SIGQUIT) {
            log_.info("aborting on signal " + std::to_string(number));
            kill_all();
        } else {
            begin_stop("terminating on signal " + std::to_string(number));
        }
    }
}

void Supervisor::on_time() {
    const int64_t now_us = steady_us();
    if (phase_ == Phase::starting && now_us >= phase_deadline_us_) {
        std::string late;
        for (const Slot& slot : slots_)
            if (!slot.child || slot.child->state == Child::State::starting)
                late += (late.empty() ? "" : ", ") + slot.service_key;
        finish_start("not ready within start_time_limit: " + late);
    }
    for_each_child([&](Child& child) {
        if (child.retire_at_us > 0 && now_us >= child.retire_at_us) {
            listeners_.close_surplus(plan_);
            retire(child);
        }
        if (child.state == Child::State::retiring && now_us >= child.drain_at_us) {
            child.drain();
            child.kill_at_us = now_us + plan_.settings.time_us("stop_time_limit");
        }
        if (child.kill_at_us == 0 || now_us < child.kill_at_us) return;
        log_.warning(child.name() + " (pid " + std::to_string(child.pid()) +
                     ") did not finish in time: killed");
        child.kill_at_us = 0;
        put_out(child);
    });
    if (now_us >= next_look_us_) look_for_the_hung();
    for (Wakeup& wakeup : wakeups_) {
        if (now_us < wakeup.at_us) continue;
        wakeup.at_us = now_us + wakeup.every_us;
        for (const Slot& slot : slots_)
            if (slot.service_key == wakeup.service_key && slot.child &&
                slot.child->state == Child::State::ready)
                slot.child->send(control::Wakeup{});
    }
}

int64_t Supervisor::look_every_us() const {
    return plan_.settings.time_us("daemon_timeout") / kLooksATimeout;
}

void Supervisor::look_for_the_hung() {
    const int64_t now_us = steady_us();
    const int64_t start_limit_us = plan_.settings.time_us("start_time_limit");
    const int64_t turn_limit_us = plan_.settings.time_us("daemon_timeout");
    next_look_us_ = now_us + look_every_us();
    const auto end = [&](Child& child, std::string_view what, int64_t limit_us) {
        log_.warning(child.name() + " (pid " + std::to_string(child.pid()) + ") " +
                     std::string(what) + ", for " + std::to_string(limit_us / kSecondUs) +
                     "s now: killed");
        put_out(child);
    };
    for_each_child([&](Child& child) {
        if (child.is_given_up) return;
        if (child.is_at_work() && child.is_hung(now_us, turn_limit_us))
            end(child, "hangs", turn_limit_us);
        // The first start of all has its own end.
        if (child.state == Child::State::starting && phase_ == Phase::running &&
            now_us - child.started_us >= start_limit_us)
            end(child, "does not become ready", start_limit_us);
    });
}

void Supervisor::arm_wakeups() {
    wakeups_.clear();
    for (const PlannedService& service : plan_.services) {
        const int64_t every_us = service.entry.wakeup_s * kSecondUs;
        if (every_us > 0) wakeups_.push_back({service.key(), steady_us() + every_us, every_us});
    }
}

void Supervisor::start_due() {
    if (phase_ == Phase::stopping) return;
    const int64_t now_us = steady_us();
    for (Slot& slot : slots_)
        if (!slot.child && slot.wanted && now_us >= slot.start_at_us) start(slot);
    std::erase_if(slots_, [](const Slot& slot) { return !slot.child && !slot.wanted; });
}

void Supervisor::start(Slot& slot) {
    const PlannedService* service = plan_.find(slot.service_key);
    if (service == nullptr) {
        slot.wanted = false;
        return;
    }
    Child::Identity identity;
    identity.service_key = slot.service_key;
    identity.row = service->row;
    identity.worker = slot.worker;
    identity.instance = static_cast<uint16_t>(service->first_instance + slot.worker);
    identity.incarnation = next_incarnation_++;
    auto child = Child::spawn(*service, std::move(identity), listeners_.of(*service, slot.worker));
    if (!child) {
        const std::string fault = slot.service_key + ": cannot be started: " + child.error().text();
        log_.warning(fault);
        slot.start_at_us = steady_us() + kSecondUs;
        if (phase_ == Phase::starting) finish_start(fault);
        return;
    }
    slot.child = std::move(*child);
    slot.child->started_us = steady_us();
    // Owners of memory may wait for the word of a reader that died as well: its successor says it.
    for (const uint32_t incarnation : former_) slot.child->send(control::Forget{incarnation, true});
}

// Whoever waits for the start is told once.
void Supervisor::tell_outcome(std::string_view outcome) {
    if (options_.outcome_fd < 0) return;
    const std::string line = std::string(outcome) + "\n";
    (void)!::write(options_.outcome_fd, line.data(), line.size());
    ::close(options_.outcome_fd);
    options_.outcome_fd = -1;
}

// A fault ends everything that was started.
void Supervisor::finish_start(const std::string& fault) {
    if (phase_ != Phase::starting) return;
    if (fault.empty()) {
        tell_outcome("ready");
        phase_ = Phase::running;
        log_.info("ready: " + std::to_string(slots_.size()) + " processes");
        return;
    }
    tell_outcome(fault);
    log_.fatal(fault);
    failed_ = true;
    begin_stop("the start failed: stopping");
}

void Supervisor::begin_stop(std::string_view why) {
    if (phase_ == Phase::stopping) return;
    log_.info(why);
    tell_outcome("stopped before it was ready");
    phase_ = Phase::stopping;
    pending_.reset();
    answer_askers("refused: the service stops");
    for_each_child([](Child& child) {
        if (child.state == Child::State::starting) child.dismiss();
    });
    advance_stop();
}

// Senders before receivers: a stage is told to finish when the one before it has gone, or has used
// up its share of stop_time_limit and been killed.
void Supervisor::advance_stop() {
    const int64_t now_us = steady_us();
    const int64_t limit_us = plan_.settings.time_us("stop_time_limit");
    while (stop_stage_ < kStopStages) {
        bool somebody = false;
        for_each_child([&](Child& child) {
            if (child.identity().row->stop_stage != stop_stage_) return;
            somebody = true;
            if (child.state != Child::State::starting && child.kill_at_us > 0) return;
            child.dismiss();
            child.kill_at_us = now_us + (stop_stage_ == 0 ? limit_us / 2 : limit_us / 4);
        });
        if (somebody) {
            phase_deadline_us_ = now_us + kTurnMaxUs;
            return;
        }
        ++stop_stage_;
    }
    done_ = true;
}

void Supervisor::kill_all() {
    phase_ = Phase::stopping;
    for_each_child([](Child& child) { child.kill(SIGKILL); });
}

}  // namespace posthaste
