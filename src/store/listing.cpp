#include "store/listing.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/assert.h"
#include "base/strings.h"

#include "mail/envelope.h"
#include "mail/queue_state.h"

namespace posthaste::store {

namespace {

// Postfix's own spacing needs a hand-made frame; the escaping is the library's. Bytes that are no
// UTF-8 become U+FFFD.
void append_text(std::string_view text, std::string& out) {
    out += nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

struct Pending {
    uint32_t number;
    bool held;  // while others of its message wait for an attempt

    auto operator<=>(const Pending&) const = default;
};

// The recipients that are still to be served.
std::vector<Pending> pending_recipients(const Envelope& envelope, const QueueState& state,
                                        bool has_state) {
    std::vector<Pending> pending;
    if (!has_state) {
        for (uint32_t i = 0; i < envelope.recipients.size(); ++i) pending.push_back({i, false});
        return pending;
    }
    for (const PendingGroup& group : state.groups) {
        const bool held = group.due_s == kNeverDue && state.queue != QueueName::hold;
        for (const uint32_t recipient : group.recipients) {
            if (recipient < envelope.recipients.size()) pending.push_back({recipient, held});
        }
    }
    std::sort(pending.begin(), pending.end());
    return pending;
}

}  // namespace

void append_listed_message(MessageId id, std::string_view envelope_bytes,
                           std::string_view state_bytes,
                           const std::vector<QueueStore::StoredReason>& reasons, std::string& out) {
    const auto envelope = decode_envelope(envelope_bytes);
    if (!envelope) return;
    QueueState state;
    if (!state_bytes.empty()) {
        auto decoded = decode_queue_state(state_bytes);
        if (!decoded) return;
        state = std::move(*decoded);
    }
    std::map<uint32_t, std::string_view> reason_of;
    for (const auto& reason : reasons) reason_of[reason.recipient] = reason.text;

    out += "{\"queue_name\": \"";
    out += name_of(state.queue);
    out += "\", \"queue_id\": ";
    append_text(queue_id_text(id), out);
    out += ", \"arrival_time\": " + std::to_string(envelope->arrived_wall_us / kSecondUs);
    out += ", \"message_size\": " + std::to_string(envelope->size_bytes);
    out += ", \"forced_expire\": false, \"sender\": ";
    append_text(envelope->sender.empty() ? "MAILER-DAEMON" : envelope->sender, out);
    out += ", \"recipients\": [";
    const char* separator = "";
    for (const auto& [number, held] : pending_recipients(*envelope, state, !state_bytes.empty())) {
        out += separator;
        separator = ", ";
        out += "{\"address\": ";
        append_text(envelope->recipients[number].address, out);
        if (const auto reason = reason_of.find(number); reason != reason_of.end()) {
            out += ", \"delay_reason\": ";
            append_text(reason->second, out);
        }
        out += held ? ", \"held\": true}" : "}";
    }
    out += "]}\n";
}

class Listing::Client final : public Connection::Handler {
 public:
    Client(Listing& listing, Socket socket)
        : listing_(listing), connection_(listing.loop_, socket, *this) {
        connection_.set_deadline(listing_.loop_.now_us() + kSilenceUs);
        connection_.start();
    }

    size_t on_bytes(std::string_view bytes) override {
        const size_t end = bytes.find('\n');
        if (end == std::string_view::npos && bytes.size() <= kCommandBytesMax) return 0;
        connection_.pause();  // one command; what follows is not read
        const auto command = trimmed(bytes.substr(0, std::min(end, kCommandBytesMax)));
        if (command == "list") {
            listing_all_ = true;
            listing_.want_more(*this);
        } else {
            connection_.send("error: unknown command\n");
            connection_.close();
        }
        return bytes.size();
    }

    void on_end(Connection::End, int) override { connection_.abort(); }

    void on_sent() override {
        connection_.set_deadline(listing_.loop_.now_us() + kSilenceUs);
        if (listing_all_) listing_.want_more(*this);
    }

    void on_closed() override { listing_.remove(*this); }

    // One message of the page, or the ids of the next one. A page is sent when it is whole, and
    // the next one follows on_sent(): only as fast as the client takes it.
    void read_next() {
        if (!listing_all_ || connection_.closing()) return;
        if (next_ < ids_.size()) {
            read_message(ids_[next_++]);
        } else {
            ids_.clear();
            next_ = 0;
            if (!listing_.store_.list_page(place_, kMessagesAPage, ids_)) {
                return end("error: the queue can not be read\n");
            }
        }
        if (next_ < ids_.size()) return listing_.want_more(*this);
        if (place_.at_end) return end({});
        if (text_.empty()) return listing_.want_more(*this);
        connection_.send(std::exchange(text_, {}));
    }

    void abort() { connection_.abort(); }

 private:
    void read_message(MessageId id) {
        const auto stored = listing_.store_.load(id);
        if (!stored) return;  // delivered meanwhile, or in quarantine now
        append_listed_message(id, stored->envelope, stored->state, listing_.store_.reasons(id),
                              text_);
    }

    void end(std::string_view last_words) {
        listing_all_ = false;
        text_ += last_words;
        if (!text_.empty()) connection_.send(text_);
        connection_.close();
    }

    Listing& listing_;
    Connection connection_;
    bool listing_all_ = false;
    QueueStore::ListPlace place_;
    std::vector<MessageId> ids_;  // of a page
    size_t next_ = 0;             // of them, to be read
    std::string text_;            // of those that were
};

Listing::Listing(Loop& loop, QueueStore& store)
    : loop_(loop), store_(store), accept_done_(runner_of<&Listing::on_accept, Listing>(), this) {}

Listing::~Listing() = default;

void Listing::want_more(Client& client) {
    if (std::ranges::find(waiting_, &client) == waiting_.end()) waiting_.push_back(&client);
}

void Listing::read_next() {
    ASSERT(can_read());
    Client& client = *waiting_.front();
    waiting_.erase(waiting_.begin());
    client.read_next();
}

void Listing::listen(Socket listener) {
    listener_ = listener;
    accept();
}

void Listing::accept() {
    if (stopping_ || listener_ == Socket::none || accept_done_.in_flight()) return;
    loop_.accept(accept_done_, listener_);
}

void Listing::stop() {
    stopping_ = true;
    if (accept_done_.in_flight()) loop_.cancel(accept_done_);
    for (const auto& client : clients_) client->abort();
}

void Listing::on_accept(const Event& event) {
    if (event.result >= 0) {
        const auto socket = static_cast<Socket>(event.result);
        if (stopping_ || clients_.size() >= kClientsMax) {
            loop_.close(socket);
        } else {
            clients_.push_back(std::make_unique<Client>(*this, socket));
        }
    }
    // Out of descriptors: the next client that goes starts it again.
    if (event.last && (event.result >= 0 || clients_.empty())) accept();
}

void Listing::remove(Client& client) {
    std::erase(waiting_, &client);
    std::erase_if(clients_, [&](const auto& candidate) { return candidate.get() == &client; });
    accept();
}

}  // namespace posthaste::store
