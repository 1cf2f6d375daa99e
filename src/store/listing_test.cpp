#include "store/listing.h"

#include <gtest/gtest.h>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/strings.h"

#include "store/store_testing.h"

#include "simulation/sim_loop.h"
#include "simulation/sim_world.h"

namespace posthaste::store {
namespace {

const Endpoint kShowq{IpAddress::v4(127, 0, 0, 1), 9};

std::string listed(const Envelope& envelope, std::string_view state,
                   const std::vector<QueueStore::StoredReason>& reasons = {}) {
    std::string out;
    append_listed_message(envelope.id, encoded(envelope), state, reasons, out);
    return out;
}

TEST(ListedMessage, ReadsAsPostqueuePrintsIt) {
    Envelope envelope = envelope_for(1'700'000'000'123'456, "0123456789", 2);
    EXPECT_EQ(
        listed(envelope, ""),
        "{\"queue_name\": \"active\", \"queue_id\": \"" + queue_id_text(envelope.id) +
            "\", \"arrival_time\": 1700000000, \"message_size\": 10, \"forced_expire\": false, "
            "\"sender\": \"sender@example.org\", \"recipients\": [{\"address\": "
            "\"r0@example.com\"}, "
            "{\"address\": \"r1@example.com\"}]}\n");
}

TEST(ListedMessage, NamesOnlyPendingRecipientsWithTheirReasons) {
    const Envelope envelope = envelope_for(5, "x", 4);
    QueueState state;
    state.queue = QueueName::deferred;
    state.groups.push_back({100, 1, {3}});
    state.groups.push_back({50, 2, {1}});
    const auto json = nlohmann::json::parse(
        listed(envelope, encoded(state),
               {{0, "2.0.0", "was sent"}, {3, "4.4.1", "connect: \"refused\""}}));
    EXPECT_EQ(json["queue_name"], "deferred");
    ASSERT_EQ(json["recipients"].size(), 2u);
    EXPECT_EQ(json["recipients"][0]["address"], "r1@example.com");
    EXPECT_FALSE(json["recipients"][0].contains("delay_reason"));
    EXPECT_EQ(json["recipients"][1]["delay_reason"], "connect: \"refused\"");
}

TEST(ListedMessage, MarksRecipientsThatAreHeldWhileOthersWait) {
    const Envelope envelope = envelope_for(5, "x", 3);
    QueueState state;
    state.queue = QueueName::deferred;
    state.groups.push_back({kNeverDue, 1, {0, 2}});
    state.groups.push_back({50, 2, {1}});
    const auto json = nlohmann::json::parse(listed(envelope, encoded(state)));
    EXPECT_EQ(json["recipients"][0]["held"], true);
    EXPECT_FALSE(json["recipients"][1].contains("held"));
    EXPECT_EQ(json["recipients"][2]["held"], true);
    state.groups.pop_back();
    state.queue = QueueName::hold;
    EXPECT_EQ(listed(envelope, encoded(state)).find("held"), std::string::npos)
        << "all of it is, and the queue's name says so";
}

TEST(ListedMessage, IsJsonWhateverTheTextsHold) {
    Envelope envelope = envelope_for(5, "x");
    envelope.sender = "\xff\"\\@example.org";
    const auto json =
        nlohmann::json::parse(listed(envelope, deferred_state(1), {{0, "", "a\nb\xc3"}}));
    EXPECT_NE(json["sender"].get<std::string>().find("\"\\@"), std::string::npos);
    envelope.sender = "";
    EXPECT_EQ(nlohmann::json::parse(listed(envelope, ""))["sender"], "MAILER-DAEMON");
    std::string nothing;
    append_listed_message(1, "garbage", "", {}, nothing);
    append_listed_message(5, encoded(envelope), "garbage", {}, nothing);
    EXPECT_EQ(nothing, "");
}

class Client final : public Connection::Handler {
 public:
    Client(Loop& loop, std::string command)
        : loop_(loop),
          command_(std::move(command)),
          connected_(runner_of<&Client::on_connect, Client>(), this) {
        loop_.connect(connected_, kShowq, nullptr);
    }

    void on_connect(const Event& event) {
        ASSERT_GE(event.result, 0);
        connection_ = std::make_unique<Connection>(loop_, static_cast<Socket>(event.result), *this);
        connection_->start();
        connection_->send(command_);
    }

    size_t on_bytes(std::string_view bytes) override {
        heard += bytes;
        return bytes.size();
    }

    void on_end(Connection::End, int) override { connection_->close(); }

    void on_closed() override { closed = true; }

    void hang_up() { connection_->abort(); }

    std::string heard;
    bool closed = false;

 private:
    Loop& loop_;
    std::string command_;
    Completion connected_;
    std::unique_ptr<Connection> connection_;
};

// The service, which says when a message may be read: one a turn.
class Reads final : public TurnListener {
 public:
    explicit Reads(Listing& listing) : listing_(listing) {}

    void on_turn_end() override {
        if (listing_.can_read()) listing_.read_next();
    }

    bool before_sleep() override { return listing_.can_read(); }

 private:
    Listing& listing_;
};

class ListingTest : public testing::Test {
 protected:
    ListingTest() {
        loop_.add_listener(reads_);
        listing_.listen(world_.network().listen(kShowq));
    }

    ~ListingTest() override {
        listing_.stop();
        run();
        loop_.remove_listener(reads_);
    }

    void run() { world_.run_for(kMinuteUs, 3'000'000); }

    size_t lines(const std::string& text) { return split(text, "\n").size(); }

    simulation::SimWorld world_{7};
    simulation::SimLoop& loop_ = world_.make_loop("store");
    simulation::SimLoop& other_ = world_.make_loop("client");
    OnSimDisk on_;
    std::unique_ptr<QueueStore> store_ = on_.open();
    Listing listing_{loop_, *store_};
    Reads reads_{listing_};
};

TEST_F(ListingTest, ListsAQueueOfManyPagesAndEnds) {
    for (MessageId id = 1; id <= 1000; ++id) add(*store_, id, "content");
    ASSERT_TRUE(store_->commit());
    Client client(other_, "list\n");
    run();
    EXPECT_TRUE(client.closed);
    EXPECT_EQ(lines(client.heard), 1000u);
    EXPECT_TRUE(client.heard.ends_with("]}\n"));
    EXPECT_TRUE(listing_.is_idle());
}

TEST_F(ListingTest, AnEmptyQueueIsAnEmptyAnswer) {
    Client client(other_, "list\n");
    run();
    EXPECT_TRUE(client.closed);
    EXPECT_EQ(client.heard, "");
}

TEST_F(ListingTest, RefusesWhatItDoesNotKnow) {
    Client unknown(other_, "explode\n");
    Client endless(other_, std::string(5000, 'x'));
    run();
    EXPECT_EQ(unknown.heard, "error: unknown command\n");
    EXPECT_EQ(endless.heard, "error: unknown command\n");
    EXPECT_TRUE(listing_.is_idle());
}

TEST_F(ListingTest, ClientsThatSayNothingAreNotWaitedForForEver) {
    Client silent(other_, "li");
    world_.run_for(Listing::kSilenceUs + 2 * kMinuteUs, 3'000'000);
    EXPECT_TRUE(silent.closed);
    EXPECT_TRUE(listing_.is_idle());
}

TEST_F(ListingTest, HasABoundOnClients) {
    std::vector<std::unique_ptr<Client>> clients;
    for (size_t i = 0; i < Listing::kClientsMax + 5; ++i) {
        clients.push_back(std::make_unique<Client>(other_, "li"));
    }
    world_.run_for(kSecondUs, 3'000'000);
    size_t refused = 0;
    for (const auto& client : clients) refused += client->closed ? 1 : 0;
    EXPECT_EQ(refused, 5u);
    listing_.stop();
    run();
    EXPECT_TRUE(listing_.is_idle());
}

}  // namespace
}  // namespace posthaste::store
