// store/listing.h: what lies in the queue, for people: the public socket "showq".
//
//   client: list\n      store: one JSON object a line, as `postqueue -j` prints them, then end of
//   stream anything else       store: error: …\n
//
// One command a connection, one line; more commands (hold ID, release ID, delete ID, requeue ID)
// will answer "ok" or "error: …". Anybody on the machine may ask, so nothing here may stall the
// queue: the service says when one message is read, clients take turns, nobody is sent more than it
// has taken, there are a handful of clients, and a deadline for each.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/connection.h"
#include "runtime/loop.h"

#include "store/queue_store.h"

namespace posthaste::store {

// One message as `postqueue -j` prints it, with the line's end. Only recipients still to be served
// are named; those that are held while others of the message wait bear "held": true, a key of our
// own. `state` is empty when none was stored. What does not parse is left out.
void append_listed_message(MessageId id, std::string_view envelope, std::string_view state,
                           const std::vector<QueueStore::StoredReason>& reasons, std::string& out);

class Listing final {
 public:
    static constexpr size_t kClientsMax = 16;
    static constexpr size_t kMessagesAPage = 32;  // sent together
    static constexpr size_t kCommandBytesMax = 128;
    static constexpr int64_t kSilenceUs = 30 * kSecondUs;

    Listing(Loop& loop, QueueStore& store);
    ~Listing();

    void listen(Socket listener);
    // No new clients; those being served are cut off.
    void stop();

    // Somebody waits for more of a list.
    bool can_read() const noexcept { return !waiting_.empty(); }

    // Reads one message for whoever waits longest. Only when can_read().
    void read_next();

    // Nobody is being served, and after stop() nothing is under way.
    bool is_idle() const noexcept {
        return clients_.empty() && !(stopping_ && accept_done_.in_flight());
    }

 private:
    class Client;
    void accept();
    void on_accept(const Event& event);
    void remove(Client& client);
    void want_more(Client& client);

    Loop& loop_;
    QueueStore& store_;
    Socket listener_ = Socket::none;
    bool stopping_ = false;
    Completion accept_done_;
    std::vector<std::unique_ptr<Client>> clients_;
    std::vector<Client*> waiting_;  // for their next message, in order
};

}  // namespace posthaste::store
