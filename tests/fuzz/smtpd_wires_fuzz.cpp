// smtpd's side towards a foreign cleanup and a foreign rewrite: steps {who, what it says}, while
// messages are handed over, ids taken and names asked for in between. Whoever waits is answered
// once, in words that fit a reply and a log; in the end no block of the arena is lent.
#include <memory>

#include "mail/enhanced_status.h"

#include "ingress/smtpd/client_names.h"
#include "ingress/smtpd/id_leases.h"
#include "ingress/smtpd/submissions.h"
#include "tests/fuzz/foreign_peer.h"

using namespace posthaste;

namespace {

// One client's message, and its name.
struct Client final : smtpd::Submissions::Submitter, smtpd::ClientNames::Asker {
    explicit Client(smtpd::MessageMemory& memory) : blocks(memory) {}

    void on_answer(uint16_t code, std::string_view dsn, std::string_view text) override {
        ASSERT(std::exchange(waits, false));
        ASSERT(code == 250 || (code >= 400 && code <= 559));
        ASSERT(dsn.empty() ? code == 250
                           : enhanced_status_of(dsn) == dsn && dsn[0] - '0' == code / 100);
        ASSERT(!fuzz::has_control(text) && text.size() <= 500);
    }

    void on_ready() override { wants_room = false; }

    void on_client_name(std::string_view name) override {
        ASSERT(std::exchange(asks_name, false));
        ASSERT(!name.empty() && name.size() <= 256 && !fuzz::has_control(name));
    }

    smtpd::MessageBlocks blocks;
    smtpd::Submissions::Number number = smtpd::Submissions::kNone;
    bool waits = false;
    bool wants_room = false;
    bool asks_name = false;
};

class Smtpd final : public PeerListener {
 public:
    static constexpr size_t kClients = 6;

    Smtpd(Loop& loop, Arena& arena)
        : memory_(loop, arena), submissions_(memory_), leases_(loop), names_(loop) {
        for (auto& client : clients_) client = std::make_unique<Client>(memory_);
        submissions_.on_store_up();
    }

    void attach(Peers& peers) { peers_ = &peers; }

    void on_peer_up(Peer& peer) override {
        if (peer.role() == Role::rewrite) return names_.on_rewrite_up(peer);
        submissions_.on_cleanup_up(peer);
        leases_.on_cleanup_up(peer);
        act(0);
    }

    void on_peer_down(Peer& peer) override {
        if (peer.role() == Role::rewrite) return names_.on_rewrite_down(peer);
        leases_.stop_asking(peer);
        (void)submissions_.on_cleanup_down(peer);
        dead_.push_back(peer.incarnation());
    }

    void on_record(Peer& peer, uint16_t type, std::string_view body) override {
        act(static_cast<uint8_t>(body.size()));
        if (!is_good(peer, type, body)) peers_->misbehaved(peer, "a record nobody asked for");
        act(static_cast<uint8_t>(type + body.size()));
    }

    void on_room(Peer&) override {
        submissions_.on_room();
        leases_.on_room();
    }

    void on_forgotten(Peer&, uint32_t incarnation) override {
        memory_.release_quarantine(incarnation);
    }

    void end() {
        for (auto& client : clients_) {
            if (client->wants_room) submissions_.stop_waiting(*client);
            if (client->asks_name) names_.forget(*client);
            ASSERT(!client->waits);  // every cleanup is gone: all have been answered
            client->blocks.drop();
        }
        for (const uint32_t incarnation : dead_) memory_.release_quarantine(incarnation);
        ASSERT(submissions_.outstanding() == 0);
    }

 private:
    bool is_good(Peer& peer, uint16_t type, std::string_view body) {
        if (peer.role() == Role::rewrite) {
            wire::ClientNameReply reply;
            if (type != wire::ClientNameReply::kType || !wire::decode(body, reply)) return false;
            names_.on_reply(peer, reply);
            return true;
        }
        wire::SubmitResult result;
        wire::LeaseGrant grant;
        if (type == wire::NoMoreMail::kType) {
            if (!submissions_.on_cleanup_leaving(peer)) return false;
            leases_.stop_asking(peer);
            return true;
        }
        if (type == wire::SubmitResult::kType && wire::decode(body, result))
            return submissions_.on_result(peer, result);
        return type == wire::LeaseGrant::kType && wire::decode(body, grant) &&
               leases_.on_grant(peer, grant);
    }

    // Something a client does.
    void act(uint8_t choice) {
        Client& client = *clients_[choice % kClients];
        if (const MessageId id = leases_.take(); id != kNoMessage) ASSERT(id <= kMessageIdMax);
        std::string_view name;
        if (!client.asks_name)
            client.asks_name = names_.ask(IpAddress::v4(192, 0, 2, choice % 4), client, name);
        if (client.waits && choice % 7 == 0) {
            submissions_.abandon(client.number);
            client.waits = false;
        }
        if (client.waits || client.wants_room) return;
        Envelope envelope;
        envelope.id = 7;
        envelope.recipients.push_back({"a@b.example", "", kNotifyUnset});
        client.blocks.append("Subject: x\r\n");
        if (!client.blocks.is_placed()) return client.blocks.drop();
        client.number = submissions_.submit(client, envelope, client.blocks);
        client.waits = client.number != smtpd::Submissions::kNone;
        client.wants_room = !client.waits;
    }

    Peers* peers_ = nullptr;
    std::vector<uint32_t> dead_;
    smtpd::MessageMemory memory_;
    smtpd::Submissions submissions_;
    smtpd::IdLeases leases_;
    smtpd::ClientNames names_;
    std::unique_ptr<Client> clients_[kClients];
};

fuzz::ForeignPeer make_cleanup(uint32_t incarnation) {
    return {Role::cleanup,
            incarnation,
            {fuzz::say_record<wire::SubmitResult>, fuzz::say_record<wire::SubmitResult>,
             fuzz::say_record<wire::LeaseGrant>},
            fuzz::hear_records<wire::SubmitMessage, wire::LeaseRequest, wire::NoMoreMail>};
}

fuzz::ForeignPeer make_rewrite(uint32_t incarnation) {
    return {Role::rewrite,
            incarnation,
            {fuzz::say_record<wire::ClientNameReply>},
            fuzz::hear_records<wire::ClientNameRequest>};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::StillLoop loop;
    Arena arena = Arena::create_private(1, 16 * kBlockBytes);
    {
        Smtpd smtpd(loop, arena);
        {
            fuzz::Scene scene(loop, smtpd, {make_cleanup, make_cleanup, make_rewrite});
            scene.play(fuzz::text_of(data, size));
        }
        smtpd.end();
    }
    ASSERT(arena.blocks_free() == arena.blocks_total());
    return 0;
}
