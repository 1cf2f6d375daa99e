#include "runtime/introduction.h"

#include <algorithm>
#include <fcntl.h>
#include <optional>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <utility>

#include "base/assert.h"

namespace posthaste {
namespace {

constexpr int kMessagesATurn = 64;

// We write 8 bytes to it without looking: it must be something that takes them at once. An eventfd
// is an inode of no type; of its kin none else can be written.
bool is_doorbell(int descriptor) noexcept {
    struct stat status {};

    const int flags = ::fcntl(descriptor, F_GETFL);
    return flags >= 0 && (flags & O_NONBLOCK) != 0 && ::fstat(descriptor, &status) == 0 &&
           (status.st_mode & S_IFMT) == 0;
}

// A side that writes nothing still owns the indices of what it reads.
uint32_t segment_bytes(uint32_t own_ring_bytes, uint32_t other_ring_bytes) noexcept {
    return own_ring_bytes == 0 && other_ring_bytes != 0 ? kRingBytesMin : own_ring_bytes;
}

}  // namespace

class Introductions::Link {
 public:
    enum class State : uint8_t { greeting, established, leaving };

    Link(Introductions& owner, const control::Introduce& terms, Fd socket)
        : owner_(owner),
          terms_(terms),
          peer_log_tag_(terms.peer_log_tag),
          socket_(std::move(socket)),
          socket_done_(runner_of<&Link::on_socket, Link>(), this),
          doorbell_done_(runner_of<&Link::on_doorbell, Link>(), this),
          patience_(timer_calls<&Link::on_patience, Link>(), this),
          more_(timer_calls<&Link::read, Link>(), this) {}

    // What master told us and we can not do is reported like a peer's fault: master decides.
    void start();
    void leave();
    bool tell_forgotten(uint32_t incarnation);
    void close_for(std::string_view what);
    void close_for(const Error& error);

    uint32_t incarnation() const noexcept { return terms_.peer_incarnation; }

    State state() const noexcept { return state_; }

    bool reads_arena() const noexcept { return terms_.we_read_arena; }

    bool is_idle() const noexcept {
        return !socket_done_.in_flight() && !doorbell_done_.in_flight();
    }

 private:
    bool has_rings() const noexcept {
        return terms_.own_ring_bytes != 0 || terms_.peer_ring_bytes != 0;
    }

    bool is_reader_only() const noexcept {
        return !has_rings() && terms_.we_read_arena && !terms_.we_lend_arena;
    }

    uint32_t own_bytes() const noexcept {
        return segment_bytes(terms_.own_ring_bytes, terms_.peer_ring_bytes);
    }

    uint32_t peer_bytes() const noexcept {
        return segment_bytes(terms_.peer_ring_bytes, terms_.own_ring_bytes);
    }

    Result<void> greet();
    Result<void> establish(ControlMessage& message);
    Result<void> handle(ControlMessage& message);
    void read();
    void on_socket(const Event& event);
    void on_doorbell(const Event& event);

    void on_patience() { close_for(std::string_view("no handshake in time")); }

    Introductions& owner_;
    control::Introduce terms_;  // its texts are gone
    std::string peer_log_tag_;
    State state_ = State::greeting;
    Fd socket_;
    Fd own_doorbell_;  // the peer rings it
    Fd peer_doorbell_;
    std::optional<Segment> own_segment_;
    Completion socket_done_;
    Completion doorbell_done_;
    Timer patience_;
    Timer more_;
};

void Introductions::Link::start() {
    owner_.peers_.expect(terms_.peer_role, incarnation());
    if (!is_reader_only()) {
        const auto greeted = greet();
        if (!greeted) return close_for(greeted.error());
    }
    owner_.loop_.watch(socket_done_, socket_.get());
    owner_.loop_.timers().set(patience_, owner_.loop_.now_us() + kPatienceUs);
}

Result<void> Introductions::Link::greet() {
    handshake::Hello hello;
    hello.role = owner_.self_.role;
    hello.incarnation = owner_.self_.incarnation;
    std::vector<int> fds;
    if (has_rings()) {
        if (!is_ring_size(own_bytes()) || !is_ring_size(peer_bytes())) {
            return Error{Errc::malformed, 0, "introduced with an impossible ring size"};
        }
        ASSIGN_OR_RETURN(own_segment_, Segment::create(own_bytes()));
        own_doorbell_.reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
        if (!own_doorbell_) return os_error("eventfd");
        hello.ring_bytes = own_bytes();
        fds = {own_segment_->memfd(), own_doorbell_.get()};
    }
    if (terms_.we_lend_arena) {
        if (owner_.self_.arena == nullptr)
            return Error{Errc::malformed, 0, "introduced to lend an arena we have not"};
        fds.push_back(owner_.self_.arena->memfd());
    }
    return send_control(socket_.get(), hello, std::span<const int>(fds));
}

void Introductions::Link::on_socket(const Event& event) {
    if (state_ == State::leaving) return;
    // The kernel ended the watch: everything is read all the same, then it is begun again.
    read();
    if (event.last && state_ != State::leaving) owner_.loop_.watch(socket_done_, socket_.get());
}

void Introductions::Link::on_doorbell(const Event& event) {
    if (state_ == State::leaving) return;
    owner_.peers_.on_doorbell();
    if (event.last) owner_.loop_.watch(doorbell_done_, own_doorbell_.get());
}

void Introductions::Link::read() {
    ControlMessage message;
    for (int i = 0; i < kMessagesATurn; ++i) {
        if (state_ == State::leaving) return;
        const auto received = receive_control(socket_.get(), message);
        if (!received) {
            return close_for(received.error());
        }
        if (!*received) return;
        const auto handled = handle(message);
        if (!handled) return close_for(handled.error());
    }
    // The watch tells of what comes, not of what lies there.
    owner_.loop_.timers().set(more_, owner_.loop_.now_us());
}

Result<void> Introductions::Link::handle(ControlMessage& message) {
    if (state_ == State::greeting && message.type == handshake::Hello::kType)
        return establish(message);
    handshake::Forgotten forgotten;
    if (state_ != State::established || message.type != handshake::Forgotten::kType ||
        !terms_.we_lend_arena || !message.fds.empty() || !wire::decode(message.body, forgotten)) {
        return Error{Errc::misbehaved, 0, "unexpected message on the link"};
    }
    owner_.peers_.forgotten(incarnation(), forgotten.incarnation);
    return {};
}

Result<void> Introductions::Link::establish(ControlMessage& message) {
    handshake::Hello hello;
    if (!wire::decode(message.body, hello) || hello.magic != handshake::Hello::kMagic) {
        return Error{Errc::misbehaved, 0, "its hello is malformed"};
    }
    if (hello.layout_version != handshake::kLayoutVersion) {
        return Error{Errc::misbehaved, 0, "it speaks another layout version"};
    }
    if (hello.role != terms_.peer_role || hello.incarnation != incarnation() ||
        hello.ring_bytes != (has_rings() ? peer_bytes() : 0)) {
        return Error{Errc::misbehaved, 0, "it is not whom master introduced"};
    }
    const size_t ring_fds = has_rings() ? 2 : 0;
    if (message.fds.size() != ring_fds + (terms_.we_read_arena ? 1 : 0)) {
        return Error{Errc::misbehaved, 0, "wrong number of descriptors in its hello"};
    }
    PeerParts parts{terms_.peer_role, terms_.peer_instance, incarnation(),
                    std::nullopt,     std::nullopt,         -1,
                    terms_.peer_pid,  peer_log_tag_};
    if (has_rings()) {
        ASSIGN_OR_RETURN(Segment peer_segment,
                         Segment::map_foreign(message.fds[0].get(), peer_bytes()));
        if (!is_doorbell(message.fds[1].get()))
            return Error{Errc::misbehaved, 0, "its doorbell is none"};
        peer_doorbell_ = std::move(message.fds[1]);
        parts.channel.emplace(std::move(*own_segment_), std::move(peer_segment));
        parts.doorbell = peer_doorbell_.get();
        own_segment_.reset();
    }
    if (terms_.we_read_arena) {
        ASSIGN_OR_RETURN(parts.arena, ArenaView::map(incarnation(), message.fds[ring_fds].get()));
    }
    if (is_reader_only()) RETURN_IF_ERROR(greet());
    if (has_rings()) owner_.loop_.watch(doorbell_done_, own_doorbell_.get());
    state_ = State::established;
    patience_.cancel();
    owner_.peers_.add(std::move(parts));
    if (terms_.we_read_arena) owner_.tell_gone(*this);
    return {};
}

void Introductions::Link::close_for(const Error& error) {
    if (error.code == Errc::misbehaved) return close_for(std::string_view(error.where));
    if (error.code != Errc::closed) return close_for(std::string_view(error.text()));
    // It is gone, which is nobody's fault.
    if (state_ == State::established) return owner_.peers_.remove(incarnation());
    leave();
}

void Introductions::Link::close_for(std::string_view what) {
    if (state_ == State::leaving) return;
    if (state_ == State::established) {
        if (Peer* const peer = owner_.peers_.find(incarnation()))
            owner_.peers_.misbehaved(*peer, what);
        return;
    }
    leave();
    owner_.listener_.on_failed_introduction(terms_.peer_role, incarnation(), what);
}

// The doorbell stays open until the loop has surely submitted what it had queued for it: its number
// must not mean something else by then.
void Introductions::Link::leave() {
    if (state_ == State::leaving) return;
    if (state_ == State::greeting) owner_.peers_.expect_no_more(incarnation());
    state_ = State::leaving;
    patience_.cancel();
    more_.cancel();
    ::shutdown(socket_.get(), SHUT_WR);
    if (socket_done_.in_flight()) owner_.loop_.cancel(socket_done_);
    if (doorbell_done_.in_flight()) owner_.loop_.cancel(doorbell_done_);
    owner_.loop_.timers().set(owner_.reap_timer_, owner_.loop_.now_us() + 2 * TimerWheel::kTickUs);
}

bool Introductions::Link::tell_forgotten(uint32_t incarnation) {
    handshake::Forgotten forgotten;
    forgotten.incarnation = incarnation;
    const auto sent = send_control(socket_.get(), forgotten);
    // A closed socket shows as end of file soon; one that nobody reads shows never.
    return sent.has_value() || sent.error().code == Errc::closed;
}

Introductions::Introductions(Loop& loop, Peers& peers, Self self, Listener& listener)
    : loop_(loop),
      peers_(peers),
      self_(self),
      listener_(listener),
      reap_timer_(timer_calls<&Introductions::reap, Introductions>(), this) {
    peers_.set_hooks({this,
                      [](void* owner, uint32_t incarnation) {
                          static_cast<Introductions*>(owner)->on_removed(incarnation);
                      },
                      [](void* owner, Peer& peer, std::string_view what) {
                          static_cast<Introductions*>(owner)->listener_.on_misbehaviour(
                              peer.role(), peer.incarnation(), what);
                      }});
}

Introductions::~Introductions() { peers_.set_hooks({}); }

Introductions::Link* Introductions::find(uint32_t incarnation) noexcept {
    for (auto& link : links_) {
        if (link->incarnation() == incarnation && link->state() != Link::State::leaving)
            return link.get();
    }
    return nullptr;
}

void Introductions::introduce(const control::Introduce& terms, Fd socket) {
    if (Peer* const known = peers_.find(terms.peer_incarnation))
        return peers_.misbehaved(*known, "it wants to be introduced again");
    if (Link* const link = find(terms.peer_incarnation)) link->leave();
    links_.push_back(std::make_unique<Link>(*this, terms, std::move(socket)));
    links_.back()->start();
}

// The end of a link is no death: whom it led to may go on, and speak of the owners' bytes to others.
void Introductions::forget(const control::Forget& death) {
    peers_.remove(death.incarnation);                   // comes back as on_removed()
    ASSERT(peers_.find(death.incarnation) == nullptr);  // master is not heard in a turn of Peers
    if (Link* const link = find(death.incarnation)) link->leave();
    if (death.lent_on) tell_forgotten(death.incarnation);
}

void Introductions::on_removed(uint32_t incarnation) {
    if (Link* const link = find(incarnation)) link->leave();
}

void Introductions::tell_gone(Link& link) {
    for (const uint32_t incarnation : gone_) {
        if (!link.tell_forgotten(incarnation))
            return link.close_for(std::string_view("it does not read its link"));
    }
}

void Introductions::tell_forgotten(uint32_t incarnation) {
    if (gone_.size() == kGoneMax) gone_.pop_front();
    gone_.push_back(incarnation);
    for (size_t i = 0; i < links_.size(); ++i) {
        Link& link = *links_[i];
        if (link.state() != Link::State::established || !link.reads_arena()) continue;
        if (!link.tell_forgotten(incarnation))
            link.close_for(std::string_view("it does not read its link"));
    }
}

void Introductions::leave_all() {
    for (size_t i = 0; i < links_.size(); ++i) {
        if (links_[i]->state() == Link::State::established) {
            peers_.remove(links_[i]->incarnation());
        } else {
            links_[i]->leave();
        }
    }
}

void Introductions::reap() {
    std::erase_if(links_, [](const auto& link) {
        return link->state() == Link::State::leaving && link->is_idle();
    });
    const bool more = std::any_of(links_.begin(), links_.end(), [](const auto& link) {
        return link->state() == Link::State::leaving;
    });
    if (more) loop_.timers().set(reap_timer_, loop_.now_us() + 2 * TimerWheel::kTickUs);
}

}  // namespace posthaste
