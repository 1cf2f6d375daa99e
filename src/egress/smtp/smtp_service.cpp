#include "egress/smtp/smtp_service.h"

#include <algorithm>

#include "base/assert.h"
#include "base/deliberate_bug.h"
#include "base/strings.h"

#include "egress/smtp/smtp_counters.h"

namespace posthaste::smtp {

namespace {

constexpr size_t kReportTextBytes = 256 * 1024;
// A record of JobsHeld: well below half a ring.
constexpr size_t kHeldJobsARecord = 256;
constexpr size_t kHeldRecipientsARecord = 16 * 1024;

// Whatever another process hands us goes into a command line: one line it stays.
bool is_one_line(std::string_view text) { return !has_control(text); }

}  // namespace

SmtpService::SmtpService(World& world)
    : world_(world),
      counters_(world.counter_page, kSmtpCounters),
      config_(SmtpConfig::from(world.settings)) {}

SmtpService::~SmtpService() {
    world_.loop.remove_listener(*this);
    lanes_.clear();  // before their links
    orphans_.clear();
}

void SmtpService::attach(Peers& peers) { peers_ = &peers; }

void SmtpService::on_settings(const Settings& settings) { config_ = SmtpConfig::from(settings); }

void SmtpService::on_peer_up(Peer& peer) {
    if (peer.role() != Role::qmgr) return;
    qmgr_ = &peer;
    say_what_is_held();
    reports_.flush(qmgr_);
}

void SmtpService::on_peer_down(Peer& peer) {
    if (peer.role() == Role::qmgr && qmgr_ == &peer) {
        qmgr_ = nullptr;
        reports_.on_qmgr_gone();
        for (auto& [number, lane] : lanes_) {
            lane->orphan();
            if (!lane->over()) orphans_.push_back(std::move(lane));
        }
        lanes_.clear();
        counters_.set(kLanesOpen, 0);
    }
    if (peer.role() == Role::store) {
        if (jobs_of_arena_.count(peer.incarnation()) == 0) return;
        if (auto arena = peer.take_arena())
            kept_arenas_.emplace(peer.incarnation(), std::move(*arena));
    }
}

void SmtpService::on_record(Peer& peer, uint16_t type, std::string_view body) {
    if (&peer != qmgr_) return;
    bool understood = false;
    switch (type) {
        case wire::LaneOpen::kType:
            understood = on_lane_open(body);
            break;
        case wire::DeliveryJob::kType:
            understood = on_delivery_job(body);
            break;
        case wire::LaneClose::kType: {
            wire::LaneClose close;
            if ((understood = wire::decode(body, close))) {
                if (const auto lane = lanes_.find(close.lane); lane != lanes_.end())
                    lane->second->close();
            }
            break;
        }
        case wire::ReportTaken::kType: {
            wire::ReportTaken taken;
            if ((understood = wire::decode(body, taken))) reports_.on_taken(taken.sequence);
            break;
        }
        default:
            break;
    }
    if (!understood) peers_->misbehaved(peer, "a record that is none of qmgr's");
}

bool SmtpService::on_lane_open(std::string_view body) {
    if (!wire::decode(body, lane_open_)) return false;
    if (lane_open_.lane == 0 || lanes_.size() >= kLanesMax || lanes_.count(lane_open_.lane) > 0)
        return false;
    for (const wire::Host& host : lane_open_.hosts) {
        if (!is_one_line(host.name)) return false;
    }
    lanes_.emplace(lane_open_.lane,
                   std::make_unique<Lane>(world_.loop, world_.log, config_, lane_open_,
                                          static_cast<Lane::Owner&>(*this)));
    counters_.set(kLanesOpen, lanes_.size());
    if (draining_) lanes_.at(lane_open_.lane)->drain();
    return true;
}

bool SmtpService::on_delivery_job(std::string_view body) {
    auto job = std::make_unique<Job>();
    job->record = body;
    if (!wire::decode(job->record, job->wire)) return false;
    if (!is_one_line(job->wire.sender) || !is_one_line(job->wire.envelope_id)) return false;
    for (const wire::JobRecipient& recipient : job->wire.recipients) {
        if (!is_one_line(recipient.address) || !is_one_line(recipient.original_recipient))
            return false;
    }
    job->recipients.resize(job->wire.recipients.size());
    counters_.add(kJobsTaken);

    const auto lane = lanes_.find(job->wire.lane);
    const bool usable = lane != lanes_.end() && !lane->second->over() && !draining_;
    if (!usable || !find_content(*job)) {
        // The lane closed while the job was on its way, or the store it lies in is gone: qmgr tries
        // again.
        counters_.add(kJobsReturned);
        report(*job, job->wire.lane, false);
        return true;
    }
    ++jobs_of_arena_[job->arena];
    lane->second->add(std::move(job));
    return true;
}

bool SmtpService::find_content(Job& job) {
    uint64_t size_bytes = 0;
    for (const wire::Extent& extent : job.wire.content) {
        if (job.arena != 0 && extent.incarnation != job.arena) return false;
        job.arena = extent.incarnation;
        const auto bytes =
            peers_->bytes(extent.incarnation, extent.first_block, extent.offset, extent.length);
        if (!bytes) return false;
        job.content.push_back(*bytes);
        size_bytes += bytes->size();
    }
    return job.arena != 0 && size_bytes == job.wire.size_bytes;
}

void SmtpService::on_job_over(Lane& lane, std::unique_ptr<Job> job, bool attempted) {
    if (!attempted) {
        counters_.add(kJobsReturned);
    } else {
        for (const Job::Recipient& recipient : job->recipients) {
            switch (recipient.status.outcome) {
                case Outcome::sent:
                    counters_.add(kRecipientsSent);
                    break;
                case Outcome::deferred:
                    counters_.add(kRecipientsDeferred);
                    break;
                case Outcome::bounced:
                    counters_.add(kRecipientsBounced);
                    break;
            }
        }
    }
    report(*job, lane.number(), attempted);
    let_go_of_arena(job->arena);
}

void SmtpService::report(const Job& job, uint32_t lane, bool attempted) {
    report_.lane = lane;
    report_.job = job.wire.job;
    report_.id = job.wire.id;
    report_.attempted = attempted;
    report_.hop_failed = job.hop_failed;
    report_.results.clear();
    // A job for very many recipients gets shorter reasons: the report must fit its record.
    const size_t text_bytes_max =
        std::min(kReasonBytesMax, kReportTextBytes / std::max<size_t>(job.recipients.size(), 1));
    for (size_t i = 0; attempted && i < job.recipients.size(); ++i) {
        const DeliveryStatus& status = job.recipients[i].status;
        report_.results.push_back({job.wire.recipients[i].number, status.outcome,
                                   std::string_view(status.dsn).substr(0, 16),
                                   std::string_view(status.text).substr(0, text_bytes_max)});
    }
    reports_.add(report_);
    reports_.flush(qmgr_);
}

void SmtpService::let_go_of_arena(uint32_t incarnation) {
    const auto jobs = jobs_of_arena_.find(incarnation);
    ASSERT(jobs != jobs_of_arena_.end() && jobs->second > 0);
    if (--jobs->second > 0) return;
    jobs_of_arena_.erase(jobs);
    kept_arenas_.erase(incarnation);  // if its store is dead
}

// Through the keeper, which waits for room: without the last part this agent gets no work.
void SmtpService::say_what_is_held() {
    wire::JobsHeld held;
    size_t recipients = 0;
    const auto say = [&](bool last) {
        held.last = last;
        reports_.add_first(held);
        held.jobs.clear();
        recipients = 0;
    };
    // Their numbers are what recipients of a job and results of a report have in common.
    const auto add = [&](MessageId id, uint64_t job, const auto& numbered) {
        const bool is_full = held.jobs.size() == kHeldJobsARecord ||
                             recipients + numbered.size() > kHeldRecipientsARecord;
        if (is_full && !held.jobs.empty()) say(false);
        wire::HeldJob row{id, job, {}};
        for (const auto& each : numbered) row.recipients.push_back(each.number);
        recipients += numbered.size();
        held.jobs.push_back(std::move(row));
    };
    reports_.each_report(
        [&](const wire::DeliveryReport& report) { add(report.id, report.job, report.results); });
    for (const auto& lane : orphans_) {
        lane->each_begun(
            [&](const Job& job) { add(job.wire.id, job.wire.job, job.wire.recipients); });
    }
    say(true);
}

void SmtpService::on_lane_over(Lane& lane, LaneEnd end, const DeliveryStatus& why) {
    world_.loop.request_turn_end(*this);
    if (lane.number() == 0) return;
    wire::LaneClosed closed;
    closed.lane = lane.number();
    closed.hop_failed = end == LaneEnd::hop_failed;
    closed.crowded = end == LaneEnd::crowded;
    closed.agent_stops = lane.draining();
    closed.dsn = why.dsn;
    closed.text = std::string_view(why.text).substr(0, kReasonBytesMax);
    reports_.add(closed);
    reports_.flush(qmgr_);
    lanes_over_.push_back(lane.number());
}

bool SmtpService::others_work(const Lane& lane) const {
    return std::any_of(lanes_.begin(), lanes_.end(), [&](const auto& numbered) {
        const Lane& other = *numbered.second;
        return &other != &lane && !other.over() && other.is_ready() &&
               other.nexthop() == lane.nexthop();
    });
}

void SmtpService::on_shortage(const std::string& what) {
    const int64_t now_us = world_.loop.now_us();
    if (now_us - shortage_told_us_ < kShortageSilenceUs) return;
    shortage_told_us_ = now_us;
    world_.log.warning(what + ": a shortage of this machine, its mail waits");
}

Link& SmtpService::make_link(const std::string& host_name, const Endpoint& endpoint,
                             const std::string& nexthop, Link::User& user) {
    counters_.add(kConnectionsMade);
    auto link = std::make_unique<Link>(world_.loop, config_, host_name, endpoint, nexthop, user,
                                       static_cast<Link::Keeper&>(*this));
    Link& made = *link;
    links_.emplace(&made, std::move(link));
    return made;
}

void SmtpService::on_link_gone(Link& link) {
    // Called from inside the link: its memory lives to the end of the turn.
    const auto at = links_.find(&link);
    ASSERT(at != links_.end());
    links_gone_.push_back(std::move(at->second));
    links_.erase(at);
    world_.loop.request_turn_end(*this);
}

void SmtpService::on_turn_end() {
    drop_lanes_over();
    links_gone_.clear();
}

void SmtpService::drop_lanes_over() {
    for (const uint32_t number : lanes_over_) lanes_.erase(number);
    if (!lanes_over_.empty()) counters_.set(kLanesOpen, lanes_.size());
    lanes_over_.clear();
    std::erase_if(orphans_, [](const auto& lane) { return lane->over(); });
}

void SmtpService::on_room(Peer& peer) {
    if (&peer == qmgr_) reports_.flush(qmgr_);
}

void SmtpService::on_drain() {
    draining_ = true;
    for (auto& [number, lane] : lanes_)
        has_bug(DeliberateBug::forget_jobs_on_drain) ? lane->orphan() : lane->drain();
}

bool SmtpService::is_idle() const {
    return lanes_.empty() && orphans_.empty() && (reports_.empty() || qmgr_ == nullptr);
}

}  // namespace posthaste::smtp
