// tests/fuzz/foreign_peer.h: a service's peers as the fuzzer plays them: a loop without a kernel,
// records filled from the input, and the other end of a channel.
//
// Records are built field by field (Filler), so that nearly every input says something that is
// understood; numbers are small ones, some of those heard from the service (cookies, ids, jobs,
// lanes), or any.
#pragma once

#include <algorithm>
#include <cerrno>
#include <deque>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/codec.h"
#include "base/units.h"

#include "mail/envelope.h"
#include "mail/queue_state.h"
#include "runtime/log.h"
#include "runtime/peers.h"
#include "runtime/ring_log.h"

#include "tests/fuzz/fuzz.h"

namespace posthaste::fuzz {

// Time moves when it is told to; nobody can be connected to.
class StillLoop final : public Loop {
 public:
    int64_t now_us() const noexcept override { return now_us_; }

    int64_t wall_us() const noexcept override { return 1'700'000'000 * kSecondUs + now_us_; }

    uint64_t random() noexcept override { return random_ += 0x9e37'79b9'7f4a'7c15; }

    TimerWheel& timers() noexcept override { return timers_; }

    void accept(Completion&, Socket) override { ASSERT(false); }

    void connect(Completion& done, const Endpoint&, const IpAddress*) override {
        done.begin();
        refused_.push_back(&done);
    }

    void receive(Completion&, Socket) override { ASSERT(false); }

    void send(Completion&, Socket, std::span<const iovec>) override { ASSERT(false); }

    void watch(Completion&, int) override { ASSERT(false); }

    void write_file(Completion&, int, std::span<const iovec>, uint64_t, FileSync) override {
        ASSERT(false);
    }

    void cancel(Completion&) override {}  // it is refused in this turn anyhow

    void close(Socket) override {}

    void shutdown_send(Socket) override {}

    Endpoint peer_of(Socket) override { return {}; }

    bool has_input(Socket) override { return false; }

    Endpoint local_of(Socket) override { return {}; }

    void ring_doorbell(int) override {}

    void add_listener(TurnListener& listener) override { permanent_.push_back(&listener); }

    void remove_listener(TurnListener& listener) override {
        std::erase(permanent_, &listener);
        std::erase(requested_, &listener);
    }

    void request_turn_end(TurnListener& listener) override {
        if (std::find(requested_.begin(), requested_.end(), &listener) == requested_.end())
            requested_.push_back(&listener);
    }

    void run() override { ASSERT(false); }

    void stop() noexcept override {}

    void pass(int64_t us) {
        now_us_ += us;
        timers_.advance(now_us_);
        for (Completion* done : std::exchange(refused_, {}))
            done->deliver({-ECONNREFUSED, true, {}});
        for (size_t i = 0; i < permanent_.size(); ++i) permanent_[i]->after_sleep();
        bool is_busy = true;
        for (int turn = 0; turn < 4 && is_busy; ++turn) {
            for (TurnListener* listener : std::exchange(requested_, {})) listener->on_turn_end();
            for (size_t i = 0; i < permanent_.size(); ++i) permanent_[i]->on_turn_end();
            is_busy = !requested_.empty();
            for (size_t i = 0; i < permanent_.size(); ++i) is_busy |= permanent_[i]->before_sleep();
        }
    }

 private:
    int64_t now_us_ = 0;
    uint64_t random_ = 0;
    TimerWheel timers_{0};
    std::vector<Completion*> refused_;
    std::vector<TurnListener*> permanent_;
    std::vector<TurnListener*> requested_;
};

// Every line a service logs says something and is one line by the time it is written, whatever its
// peers say.
class CheckingLog final : public Log {
 public:
    void line(wire::Severity, std::string_view text) override {
        make_printable(text, kTextBytesMax, written_);
        ASSERT(!written_.empty());
        for (const char c : written_) ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    }

 private:
    static constexpr size_t kTextBytesMax = 4096;
    std::string written_;
};

// Numbers that a peer has heard and may say again.
class Heard {
 public:
    void add(uint64_t number) {
        if (number == 0) return;
        numbers_[next_++ % std::size(numbers_)] = number;
    }

    uint64_t at(size_t index) const { return numbers_[index % std::size(numbers_)]; }

    // The codec of base/codec.h, to look at what a service said.
    template <class T>
    void operator()(T& value) {
        if constexpr (std::is_class_v<T>) {
            value.visit(*this);
        } else if constexpr (sizeof(T) >= 4) {
            add(static_cast<uint64_t>(value));
        }
    }

    void text(std::string_view&, size_t) {}

    template <class T>
    void list(std::vector<T>& values, size_t) {
        for (T& value : values) (*this)(value);
    }

 private:
    uint64_t numbers_[32] = {};
    size_t next_ = 0;
};

// Fills a record from the input, as base/codec.h's codecs visit it.
class Filler {
 public:
    Filler(std::string_view& input, const Heard& heard) : input_(input), heard_(heard) {}

    template <class T>
    void operator()(T& value) {
        if constexpr (std::is_class_v<T>) {
            value.visit(*this);
        } else {
            value = static_cast<T>(number());
        }
    }

    void text(std::string_view& value, size_t bytes_max) {
        static constexpr std::string_view kTexts[] = {
            "",           "2.0.0",          "4.4.1", "5.1.1",         "smtp",
            "relay",      "dest.example",   "Ok",    "a@b.example",   "b@dest.example",
            "mx.example", "[192.0.2.1]:25", "error", "c@[192.0.2.1]", "a\r\nb"};
        const uint8_t choice = take_choice(input_);
        std::string out;
        if (bytes_max == kEnvelopeBytesMax && choice % 4 != 0) {
            choice % 4 == 1 ? fill_state(out) : fill_envelope(out);
        } else if (choice < 200) {
            out = kTexts[choice % std::size(kTexts)];
        } else {
            out = take_bytes(input_, take_choice(input_));
        }
        out.resize(std::min(out.size(), bytes_max));
        value = kept_.emplace_back(std::move(out));
    }

    template <class T>
    void list(std::vector<T>& values, size_t count_max) {
        values.resize(std::min<size_t>(take_choice(input_) % 5, count_max));
        for (T& value : values) (*this)(value);
    }

    uint64_t number() {
        const uint8_t choice = take_choice(input_);
        if (choice < 64) return choice;
        if (choice < 224) return heard_.at(choice);
        uint64_t out = 0;
        for (int i = 0; i < 8; ++i) out = out << 8 | take_choice(input_);
        return out;
    }

 private:
    void fill_envelope(std::string& out) {
        Envelope envelope;
        envelope.id = number();
        envelope.arrived_wall_us = static_cast<int64_t>(number());
        envelope.size_bytes = number();
        std::string_view sender;
        text(sender, 100);
        envelope.sender = sender;
        const size_t count = 1 + take_choice(input_) % 3;
        for (size_t i = 0; i < count; ++i) {
            std::string_view address;
            text(address, 100);
            envelope.recipients.push_back({std::string(address), "", kNotifyUnset});
        }
        encode_envelope(envelope, out);
    }

    void fill_state(std::string& out) {
        QueueState state;
        state.queue = static_cast<QueueName>(take_choice(input_) % 4);
        const size_t groups = take_choice(input_) % 3;
        for (size_t i = 0; i < groups; ++i) {
            PendingGroup group;
            group.due_s = static_cast<uint32_t>(number());
            group.attempts = take_choice(input_);
            group.recipients.push_back(take_choice(input_) % 4);
            state.groups.push_back(std::move(group));
        }
        encode_queue_state(state, out);
    }

    std::string_view& input_;
    const Heard& heard_;
    std::deque<std::string> kept_;  // what the record's texts are views of
};

// The far end of one link, and all it may say.
class ForeignPeer {
 public:
    static constexpr uint32_t kRingBytes = 256 * 1024;

    // Says one kind of record. Knows how the service's records to this peer are read.
    using Say = void (*)(ForeignPeer& peer, std::string_view& input);
    using Hear = bool (*)(Heard& heard, uint16_t type, std::string_view body);

    ForeignPeer(Role role, uint32_t incarnation, std::vector<Say> says, Hear hear)
        : role_(role),
          incarnation_(incarnation),
          says_(std::move(says)),
          hear_(hear),
          near_(Segment::create_private(kRingBytes)),
          far_(Segment::create_private(kRingBytes)),
          channel_(Segment::alias(far_), Segment::alias(near_)),
          arena_(Arena::create_private(incarnation, 4 * kBlockBytes)) {
        heard.add(incarnation);
    }

    PeerParts parts() {
        return {role_,
                0,
                incarnation_,
                Channel(Segment::alias(near_), Segment::alias(far_)),
                ArenaView::of(arena_),
                -1};
    }

    // A record of its own kind, or whatever the input says.
    void say(std::string_view& input) {
        const uint8_t choice = take_choice(input);
        if (choice % 16 != 15) return says_[choice % says_.size()](*this, input);
        const auto type = static_cast<uint16_t>(take_choice(input) % 32);
        say_bytes(type, take_bytes(input, take_choice(input)));
    }

    void say_bytes(uint16_t type, std::string_view body) {
        if (channel_.send(std::max<uint16_t>(type, 1), body)) (void)channel_.publish();
    }

    // Everything the service has said is sound.
    void listen() {
        Channel::Record record;
        while (channel_.receive(record)) ASSERT(hear_(heard, record.type, record.body));
        ASSERT(!channel_.broken());
        (void)channel_.release();
    }

    uint32_t incarnation() const { return incarnation_; }

    Heard heard;

 private:
    Role role_;
    uint32_t incarnation_;
    std::vector<Say> says_;
    Hear hear_;
    Segment near_;
    Segment far_;
    Channel channel_;
    Arena arena_;
};

template <class Record>
void say_record(ForeignPeer& peer, std::string_view& input) {
    Record record;
    Filler filler(input, peer.heard);
    filler(record);
    std::string body;
    wire::encode(record, body);
    peer.say_bytes(Record::kType, body);
}

// Is it one of these records?
template <class... Records>
bool hear_records(Heard& heard, uint16_t type, std::string_view body) {
    const auto one = [&]<class Record>(Record record) {
        if (type != Record::kType || !wire::decode(body, record)) return false;
        heard(record);
        return true;
    };
    return (one(Records{}) || ...);
}

// Plays one input: {who and what} steps. Peers come, say something, misbehave, go, come again
// under another incarnation.
template <class Service>
class Scene {
 public:
    using MakePeer = ForeignPeer (*)(uint32_t incarnation);

    Scene(StillLoop& loop, Service& service, std::vector<MakePeer> kinds)
        : peers(loop, service), loop_(loop), kinds_(std::move(kinds)) {
        service.attach(peers);
        for (const MakePeer make : kinds_) come(make);
    }

    ~Scene() { end(); }

    // All go.
    void end() {
        for (ForeignPeer& peer : present_) {
            peers.remove(peer.incarnation());
            gone_.push_back(std::move(peer));
        }
        present_.clear();
        for (int i = 0; i < 3; ++i) loop_.pass(kSecondUs);
    }

    void play(std::string_view input) {
        for (int steps = 0; steps < 200 && !input.empty(); ++steps) {
            const uint8_t what = take_choice(input);
            const size_t who = what / 8 % present_.size();
            switch (what % 8) {
                case 0:
                    loop_.pass(int64_t{1} << take_choice(input) % 32);
                    break;
                case 1:
                    leave(who);
                    break;
                case 2:
                    loop_.pass(kMsUs);
                    break;
                default:
                    present_[who].say(input);
                    if (what % 8 > 3) loop_.pass(kMsUs);
                    break;
            }
            for (ForeignPeer& peer : present_) peer.listen();
        }
        for (int i = 0; i < 3; ++i) loop_.pass(100 * kMsUs);
    }

    Peers peers;

 private:
    void come(MakePeer make) {
        present_.push_back(make(next_incarnation_++));
        made_.push_back(make);
        peers.add(present_.back().parts());
    }

    // Its successor comes at once; whoever misbehaved is gone already.
    void leave(size_t who) {
        const uint32_t incarnation = present_[who].incarnation();
        peers.remove(incarnation);
        loop_.pass(kMsUs);
        for (ForeignPeer& peer : present_)
            if (peer.incarnation() != incarnation) peers.forgotten(peer.incarnation(), incarnation);
        gone_.push_back(std::move(present_[who]));
        present_.erase(present_.begin() + static_cast<std::ptrdiff_t>(who));
        const MakePeer make = made_[who];
        made_.erase(made_.begin() + static_cast<std::ptrdiff_t>(who));
        come(make);
    }

    StillLoop& loop_;
    std::vector<MakePeer> kinds_;
    uint32_t next_incarnation_ = 10;
    std::deque<ForeignPeer> present_;
    std::deque<ForeignPeer> gone_;  // their memory may still be mapped
    std::deque<MakePeer> made_;
};

}  // namespace posthaste::fuzz
