#include <algorithm>
#include <utility>

#include "base/units.h"

#include "runtime/settings/queue_directory.h"
#include "runtime/settings/system_facts.h"

#include "master/supervisor.h"

namespace posthaste {

namespace {

// Longer than any client needs for a message.
constexpr int64_t kRetireUsMax = 10 * kMinuteUs;
// How long a handshake may take that began before new clients were turned away from a worker:
// longer than until a lost packet is repeated.
constexpr int64_t kLastClientsUs = 2 * kSecondUs;

}  // namespace

void Supervisor::reload() {
    pending_.reset();  // what was asked for later is what is wanted
    reload_remarks_ = {};
    // What only the machine knows may have changed as well.
    SystemFacts facts = read_system_facts();
    facts.config_directory = options_.facts.config_directory;
    facts.daemon_directory = options_.facts.daemon_directory;
    facts.command_directory = options_.facts.command_directory;
    auto plan = make_plan(plan_.config_directory, facts, reload_remarks_);
    if (plan && plan->settings.text("queue_directory") != plan_.settings.text("queue_directory")) {
        const auto* const entry = plan->main_cf.find("queue_directory");
        reload_remarks_.error(entry ? entry->place : Place{plan->main_cf.path, 0},
                              "queue_directory cannot change while the service runs; stop it "
                              "first");
    } else if (plan) {
        check_queue_directory(plan->settings, reload_remarks_);
    }
    if (!plan || reload_remarks_.has_errors()) return refuse_reload();
    pending_ = std::make_unique<Pending>();
    pending_->plan = std::move(*plan);
    pending_->judgement = std::make_unique<Judgement>(pending_->plan);
}

void Supervisor::refuse_reload() {
    for (const Diagnostic& remark : reload_remarks_.all()) {
        const std::string text = remark.place.text() + ": " + remark.text;
        remark.is_error ? log_.error(text) : log_.warning(text);
    }
    log_.error("reload refused: everything goes on with the settings it has");
    answer_askers("refused");
}

void Supervisor::finish_judgement() {
    const std::unique_ptr<Pending> pending = std::move(pending_);
    pending->judgement->tell(reload_remarks_);
    std::string fault;
    if (!reload_remarks_.has_errors()) listeners_.open(pending->plan, fault);
    if (!fault.empty()) reload_remarks_.error({}, fault);
    if (reload_remarks_.has_errors()) return refuse_reload();
    pending->judgement.reset();
    apply(std::move(pending->plan));
    for (const Diagnostic& remark : reload_remarks_.all())
        log_.warning(remark.place.text() + ": " + remark.text);
    log_.info("reload -- version " + plan_.settings.text("mail_version") + ", configuration " +
              plan_.config_directory);
    answer_askers("reloaded");
}

// Lines as `posthaste check` shows them, and the outcome as the last one.
void Supervisor::answer_askers(std::string_view outcome) {
    std::string text;
    for (const Diagnostic& remark : reload_remarks_.all()) text += remark.shown() + "\n";
    text.append(outcome).append("\n");
    for (const Question& asker : askers_) answer(asker, text);
    askers_.clear();
}

void Supervisor::apply(Plan plan) {
    const Plan before = std::move(plan_);
    plan_ = std::move(plan);
    listeners_.close_unneeded(plan_);

    for (Slot& slot : slots_) {
        const PlannedService* service = plan_.find(slot.service_key);
        const PlannedService* old_service = before.find(slot.service_key);
        if (service == nullptr) {
            slot.wanted = false;
            if (slot.child) retire(*slot.child);
        } else if (slot.worker >= service->process_count) {
            if (std::exchange(slot.wanted, false) && slot.child)
                slot.child->retire_at_us = steady_us() + kLastClientsUs;
        } else if (old_service != nullptr && needs_restart(*old_service, *service)) {
            replace(slot);
        } else if (slot.child && !slot.child->reload(service->settings)) {
            replace(slot);
        }
    }
    // One whose successor never came to work has nobody left to wait for.
    for (auto& old : retired_) {
        const PlannedService* service = plan_.find(old->identity().service_key);
        if (service == nullptr || old->identity().worker >= service->process_count) retire(*old);
    }
    for (const PlannedService& service : plan_.services)
        for (unsigned worker = 0; worker < service.process_count; ++worker) {
            const bool known = std::any_of(slots_.begin(), slots_.end(), [&](const Slot& slot) {
                return slot.wanted && slot.service_key == service.key() && slot.worker == worker;
            });
            if (known) continue;
            Slot slot;
            slot.service_key = service.key();
            slot.worker = worker;
            slot.renewed = true;
            slots_.push_back(std::move(slot));
        }
    arm_wakeups();
}

// Its clients may finish, for a while.
void Supervisor::retire(Child& child) {
    child.retire_at_us = 0;
    if (child.state == Child::State::starting) return child.dismiss();
    if (child.state != Child::State::ready) return;  // it is going
    child.retire();
    child.drain_at_us = steady_us() + kRetireUsMax;
}

void Supervisor::replace(Slot& slot) {
    if (!slot.child) return;
    slot.renewed = true;
    const RoleRow& row = *slot.child->identity().row;
    if ((row.many || row.role == Role::postlogd) && slot.child->state == Child::State::ready) {
        // Side by side: the old one goes on until the new one is ready, then finishes (on_ready).
        retired_.push_back(std::move(slot.child));
        slot.start_at_us = steady_us();
        return;
    }
    slot.child->dismiss();
    slot.child->kill_at_us = steady_us() + plan_.settings.time_us("stop_time_limit");
}

}  // namespace posthaste
