#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <set>

#include "base/codec.h"

#include "scheduler/fair_queue.h"
#include "scheduler/flat_index.h"
#include "scheduler/gcra.h"
#include "scheduler/hash.h"
#include "scheduler/message_table.h"
#include "scheduler/outcome_log.h"
#include "scheduler/resolve_cache.h"
#include "scheduler/retry_wheel.h"

namespace posthaste {
namespace {

TEST(FlatIndex, AgreesWithAMapUnderInsertAndErase) {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        std::mt19937_64 random(seed);
        FlatIndex index;
        std::map<uint64_t, uint32_t> model;
        std::map<uint32_t, uint64_t> key_of;
        uint32_t next = 0;
        // Few low bits, so that many keys share a home.
        const auto hash = [](uint64_t key) { return key % 37 * 2; };
        for (int step = 0; step < 3000; ++step) {
            const uint64_t key = random() % 200;
            const auto known = model.find(key);
            const uint32_t found =
                index.find(hash(key), [&](uint32_t number) { return key_of.at(number) == key; });
            ASSERT_EQ(found, known == model.end() ? kNone : known->second) << "seed " << seed;
            if (known == model.end()) {
                key_of[next] = key;
                model[key] = next;
                index.insert(hash(key), next++);
            } else if (random() % 2 == 0) {
                index.erase(hash(key), known->second);
                key_of.erase(known->second);
                model.erase(known);
            }
            ASSERT_EQ(index.size(), model.size());
        }
    }
}

TEST(MessageTable, FindsAndForgetsAndIsBounded) {
    MessageTable table(3);
    const uint32_t a = table.insert(10);
    const uint32_t b = table.insert(20);
    table.insert(30);
    EXPECT_EQ(table.insert(40), kNone);
    EXPECT_EQ(table.find(20), b);
    table.erase(b);
    EXPECT_EQ(table.find(20), kNone);
    EXPECT_EQ(table.find(10), a);
    EXPECT_NE(table.insert(40), kNone);
    EXPECT_EQ(table.size(), 3U);
}

TEST(MessageTable, MovesWholeListsInOrder) {
    MessageTable table(100);
    const uint32_t from = table.make_list();
    const uint32_t to = table.make_list();
    table.push_back(to, table.insert(1));
    const uint32_t removed = table.insert(2);
    table.push_back(from, removed);
    table.push_back(from, table.insert(3));
    table.push_front(from, table.insert(4));
    table.unlink(removed);
    table.splice_back(to, from);
    EXPECT_TRUE(table.empty(from));
    std::vector<MessageId> ids;
    for (uint32_t node = table.front(to); node != kNone; node = table.front(to)) {
        ids.push_back(table[node].id);
        table.unlink(node);
    }
    EXPECT_EQ(ids, (std::vector<MessageId>{1, 4, 3}));
}

class RetryWheelTest : public testing::Test {
 protected:
    uint32_t add(MessageId id, uint32_t due_s) {
        const uint32_t node = table_.insert(id);
        table_[node].due_s = due_s;
        wheel_->add(node);
        return node;
    }

    std::vector<MessageId> due_at(uint32_t now_s) {
        wheel_->advance(now_s, out_);
        std::vector<MessageId> ids;
        for (uint32_t node = table_.front(out_); node != kNone; node = table_.front(out_)) {
            ids.push_back(table_[node].id);
            table_.unlink(node);
            table_.erase(node);
        }
        return ids;
    }

    void begin(uint32_t now_s) { wheel_.emplace(table_, now_s); }

    MessageTable table_{1'000'000};
    std::optional<RetryWheel> wheel_;
    uint32_t out_ = table_.make_list();
};

TEST_F(RetryWheelTest, GivesEachMessageAtItsSecondAndNotBefore) {
    for (const uint32_t start : {0U, 1'700'000'000U, 0x65FFFFF0U, 0xFEFFFFFFU}) {
        begin(start);
        for (const uint32_t wait :
             {0U, 1U, 2U, 255U, 256U, 257U, 4000U, 65'535U, 65'536U, 432'000U}) {
            const uint32_t now = start;
            begin(now);
            add(1, now + wait);
            if (wait > 0) {
                EXPECT_TRUE(due_at(now + wait - 1).empty()) << start << " + " << wait;
            }
            EXPECT_EQ(due_at(now + wait), std::vector<MessageId>{1}) << start << " + " << wait;
        }
    }
}

TEST_F(RetryWheelTest, AgreesWithASortedMapForAnyMixOfTimes) {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        std::mt19937_64 random(seed);
        uint32_t now = 1'700'000'000 + static_cast<uint32_t>(random() % 1'000'000);
        begin(now);
        std::multimap<uint32_t, MessageId> model;
        MessageId next = 1;
        for (int step = 0; step < 400; ++step) {
            for (uint64_t n = random() % 5; n > 0; --n) {
                const uint32_t due =
                    now + 1 + static_cast<uint32_t>(random() % (uint64_t{1} << (random() % 20)));
                add(next, due);
                model.emplace(due, next++);
            }
            const uint32_t next_due = wheel_->next_due_s();
            ASSERT_EQ(next_due == kNone, model.empty());
            if (!model.empty() && model.begin()->first > now) {
                ASSERT_LE(next_due, model.begin()->first) << "never late";
                ASSERT_GE(next_due, now) << "never in the past";
            }
            now += static_cast<uint32_t>(random() % (uint64_t{1} << (random() % 16)));
            std::multiset<MessageId> expected;
            while (!model.empty() && model.begin()->first <= now) {
                expected.insert(model.begin()->second);
                model.erase(model.begin());
            }
            const auto got = due_at(now);
            ASSERT_EQ(std::multiset<MessageId>(got.begin(), got.end()), expected)
                << "seed " << seed << " step " << step;
        }
    }
}

TEST_F(RetryWheelTest, FollowsItsOwnAdviceToTheNextMessage) {
    const uint32_t start = 1'700'000'123;
    begin(start);
    add(7, start + 432'000);
    uint32_t wakes = 0;
    uint32_t now = start;
    std::vector<MessageId> got;
    while (got.empty() && wakes < 100) {
        now = wheel_->next_due_s();
        got = due_at(now);
        ++wakes;
    }
    EXPECT_EQ(now, start + 432'000);
    EXPECT_LE(wakes, 4U);
}

TEST_F(RetryWheelTest, FlushesAndForgetsTheUnlinked) {
    begin(1000);
    add(1, 2000);
    const uint32_t gone = add(2, 3000);
    add(3, 900'000);
    table_.unlink(gone);
    table_.erase(gone);
    wheel_->flush(out_);
    const auto got = due_at(1000);
    EXPECT_EQ(std::set<MessageId>(got.begin(), got.end()), (std::set<MessageId>{1, 3}));
    EXPECT_TRUE(due_at(1'000'000).empty());
    EXPECT_EQ(wheel_->next_due_s(), kNone);
}

TEST_F(RetryWheelTest, AClockSetBackKeepsNobodyLongerThanTheLongestWait) {
    begin(1'700'000'000);
    add(1, 1'700'000'300);
    add(2, 1'700'070'000);
    EXPECT_TRUE(due_at(1'700'000'100).empty());
    wheel_->set_back(1'699'980'000, 1'699'984'300);
    EXPECT_EQ(wheel_->next_s(), 1'699'980'000U);
    add(3, 1'699'980'005);
    EXPECT_EQ(due_at(1'699'980'005), std::vector<MessageId>{3});
    EXPECT_TRUE(due_at(1'699'984'299).empty());
    const auto got = due_at(1'699'984'300);
    EXPECT_EQ(std::set<MessageId>(got.begin(), got.end()), (std::set<MessageId>{1, 2}));
}

TEST(Gcra, SpacesEventsAndForgivesNoIdleTime) {
    Gcra rate;
    EXPECT_LE(rate.allowed_at_us(), 0);
    rate.take(1000, 100);
    EXPECT_EQ(rate.allowed_at_us(), 1100);
    EXPECT_EQ(rate.allowed_at_us(250), 850) << "a burst runs ahead of schedule";
    rate.take(5000, 100);
    EXPECT_EQ(rate.allowed_at_us(), 5100) << "unused time is not saved up";
    rate.take(5100, 0);
    EXPECT_EQ(rate.allowed_at_us(), 5100);
}

class FairQueueTest : public testing::Test {
 protected:
    uint32_t destination(const std::string& site) {
        bool is_new = false;
        return destinations_.find_or_add(0, "smtp", site, is_new);
    }

    uint32_t push(const std::string& sender, uint32_t to, uint32_t recipients = 1,
                  bool retry = false) {
        const uint32_t entry = entries_.allocate();
        entries_[entry] = {};
        entries_[entry].destination = to;
        entries_[entry].count = recipients;
        entries_[entry].retry = retry;
        entries_[entry].message = next_++;
        queue_.push_back(entry, {client_, sender, recipients > 50});
        return entry;
    }

    uint32_t pop() {
        return queue_.pop([this](uint32_t to) {
            ++looks_;
            return !full_.contains(to);
        });
    }

    EntrySlab entries_;
    DestinationTable destinations_{1, 1000};
    FairQueue queue_{entries_, destinations_, 2};
    std::set<uint32_t> full_;
    std::string client_;  // of the next push()
    uint32_t next_ = 0;
    int looks_ = 0;
};

TEST_F(FairQueueTest, TakesTurnsAmongSendersHoweverMuchOneHas) {
    const uint32_t y = destination("y");
    for (int i = 0; i < 1000; ++i) push("big", y);
    std::set<uint32_t> small;
    for (int i = 0; i < 5; ++i) small.insert(push("small", y));
    size_t found = 0;
    for (int i = 0; i < 2 * FairQueue::kQuantum + 5; ++i) found += small.contains(pop());
    EXPECT_EQ(found, 5U);
}

TEST_F(FairQueueTest, CountsRecipientsNotJobs) {
    const uint32_t y = destination("y");
    std::set<uint32_t> lists;
    for (int i = 0; i < 100; ++i) lists.insert(push("lists", y, 40));
    for (int i = 0; i < 1000; ++i) push("single", y);
    size_t list_jobs = 0;
    for (int i = 0; i < 410; ++i) list_jobs += lists.contains(pop());
    EXPECT_NEAR(static_cast<double>(list_jobs), 10.0, 2.0);
}

TEST_F(FairQueueTest, LooksAtADestinationWithoutRoomOnceUntilItIsWoken) {
    const uint32_t y = destination("y");
    const uint32_t z = destination("z");
    for (int i = 0; i < 100; ++i) push("a", y);
    full_.insert(y);
    EXPECT_EQ(pop(), kNone);
    const int looks = looks_;
    push("a", z);
    push("a", y);
    EXPECT_NE(pop(), kNone);
    EXPECT_EQ(pop(), kNone);
    EXPECT_EQ(looks_, looks + 1);
    full_.clear();
    EXPECT_EQ(pop(), kNone) << "nobody said so";
    queue_.wake(y, 1);
    EXPECT_NE(pop(), kNone);
}

TEST_F(FairQueueTest, WakesBlockedSendersInTurn) {
    const uint32_t y = destination("y");
    for (int i = 0; i < 10; ++i) {
        push("a", y);
        push("b", y);
        push("c", y);
    }
    full_.insert(y);
    EXPECT_EQ(pop(), kNone);
    std::map<uint32_t, int> of_sender;
    for (int i = 0; i < 9; ++i) {
        full_.clear();
        queue_.wake(y, 1);
        const uint32_t entry = pop();
        ASSERT_NE(entry, kNone);
        ++of_sender[entries_[entry].message % 3];
        full_.insert(y);
        EXPECT_EQ(pop(), kNone);
    }
    for (const auto& [sender, count] : of_sender) EXPECT_EQ(count, 3);
}

TEST_F(FairQueueTest, ServesRetriesOnceForEveryFourFresh) {
    const uint32_t y = destination("y");
    std::set<uint32_t> retries;
    for (int i = 0; i < 100; ++i) retries.insert(push("a", y, 1, true));
    for (int i = 0; i < 100; ++i) push("a", y);
    size_t count = 0;
    for (int i = 0; i < 50; ++i) count += retries.contains(pop());
    EXPECT_EQ(count, 10U);
}

TEST_F(FairQueueTest, GivesAClientNoMoreForNamingManySenders) {
    const uint32_t y = destination("y");
    client_ = "192.0.2.1";
    for (int i = 0; i < 1000; ++i) push("domain" + std::to_string(i), y);
    client_ = "192.0.2.2";
    std::set<uint32_t> small;
    for (int i = 0; i < 100; ++i) small.insert(push("small", y));
    size_t found = 0;
    for (int i = 0; i < 200 + FairQueue::kQuantum; ++i) found += small.contains(pop());
    EXPECT_EQ(found, 100U);
    client_ = "192.0.2.3";
    push("domain7", y);
    EXPECT_EQ(queue_.clients(), 2U) << "the same domain at another client is another source";
    while (pop() != kNone) {
    }
    EXPECT_EQ(queue_.sources() + queue_.flows(), 0U);
    EXPECT_LE(queue_.clients(), 2U) << "debtors";
}

TEST_F(FairQueueTest, RemembersTheDebtOfAClientWhateverItsSendersAreCalled) {
    const uint32_t y = destination("y");
    client_ = "192.0.2.2";
    for (int i = 0; i < 5000; ++i) push("single", y);
    client_ = "192.0.2.1";
    int names = 0;
    std::set<uint32_t> large{push("large" + std::to_string(names), y, 50)};
    uint32_t of_large = 0;
    uint32_t of_single = 0;
    while (of_single < 4000) {
        const uint32_t entry = pop();
        if (large.contains(entry)) {
            of_large += 50;
            large = {push("large" + std::to_string(++names), y, 50)};
        } else {
            ++of_single;
        }
    }
    EXPECT_LE(of_large, of_single);
    EXPECT_GE(of_large, of_single / 2);
}

TEST(ClientOf, IsAnAddressOrTheNetworkOfOne) {
    EXPECT_EQ(client_of("192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(client_of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    EXPECT_EQ(client_of("2001:db8:1:2::9"), "2001:db8:1:2::/64");
    EXPECT_EQ(client_of("::ffff:192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(client_of("::1"), "::/64");
    EXPECT_EQ(client_of(""), "");
    EXPECT_EQ(client_of("no:address"), "no:address");
}

// One job at a time, the next as soon as the last one is served: no more than its share.
TEST_F(FairQueueTest, RemembersTheDebtOfASourceThatLeaves) {
    const uint32_t y = destination("y");
    std::set<uint32_t> large{push("large", y, 50)};
    for (int i = 0; i < 5000; ++i) push("single", y);
    uint32_t of_large = 0;
    uint32_t of_single = 0;
    while (of_single < 4000) {
        const uint32_t entry = pop();
        if (large.contains(entry)) {
            of_large += 50;
            large = {push("large", y, 50)};
        } else {
            ++of_single;
        }
    }
    EXPECT_LE(of_large, of_single);
    EXPECT_GE(of_large, of_single / 2);
}

TEST_F(FairQueueTest, ForgetsADebtThatIsPaidAndTheOldestOfVeryMany) {
    const uint32_t y = destination("y");
    push("large", y, 50);
    EXPECT_NE(pop(), kNone);
    EXPECT_EQ(queue_.sources(), 1U);
    for (int i = 0; i < 100; ++i) push("single", y);
    for (int i = 0; i < 50; ++i) EXPECT_NE(pop(), kNone);
    EXPECT_EQ(queue_.sources(), 1U) << "the other one";
    while (pop() != kNone) {
    }
    // With so many who wait, nobody's debt is paid soon.
    const uint32_t z = destination("z");
    full_.insert(z);
    for (int i = 0; i < 5000; ++i) push("waiting" + std::to_string(i), z);
    for (uint32_t i = 0; i < Debtors<Source>::kMax + 10; ++i)
        push("large" + std::to_string(i), y, 50);
    while (pop() != kNone) {
    }
    EXPECT_EQ(queue_.sources(), 5000 + Debtors<Source>::kMax);
}

TEST_F(FairQueueTest, DoesNotChargeForWhatCameBack) {
    const uint32_t y = destination("y");
    const uint32_t back = push("a", y, 40);
    for (int i = 0; i < 10; ++i) {
        ASSERT_EQ(pop(), back);
        queue_.push_front(back, {"", "a", false});
    }
    for (int i = 0; i < 30; ++i) push("b", y);
    int others = 0;
    while (pop() != back) ++others;
    EXPECT_LE(others, FairQueue::kQuantum);
}

TEST_F(FairQueueTest, FreesFlowsAndSourcesWithTheirLastEntry) {
    const uint32_t y = destination("y");
    const uint32_t first = push("a", y);
    push("a", y);
    EXPECT_EQ(queue_.flows(), 1U);
    queue_.remove(first);
    EXPECT_NE(pop(), kNone);
    EXPECT_EQ(queue_.flows(), 0U);
    EXPECT_EQ(queue_.sources(), 0U);
    EXPECT_EQ(destinations_[y].queued, 0U);
    EXPECT_EQ(pop(), kNone);
}

TEST(DestinationTable, ForgetsTheLeastRecentlyUsedAndMarksItsRow) {
    DestinationTable table(1, 2);
    bool is_new = false;
    const uint32_t a = table.find_or_add(0, "smtp", "a", is_new);
    const uint32_t generation = table[a].generation;
    table.find_or_add(0, "smtp", "b", is_new);
    EXPECT_EQ(table.find_or_add(0, "smtp", "a", is_new), a);
    EXPECT_FALSE(is_new);
    table.touch(table.find_or_add(0, "smtp", "b", is_new));
    table.find_or_add(0, "relay", "a", is_new);
    EXPECT_TRUE(is_new) << "another transport, another destination";
    table.find_or_add(0, "smtp", "c", is_new);
    EXPECT_FALSE(table.same(a, generation));
}

class ResolveCacheTest : public testing::Test {
 protected:
    ResolveCache::Lookup look(std::string_view recipient, uint32_t number = 0, int64_t now_us = 0) {
        return cache_.lookup(recipient, {{1, 1}, number}, now_us,
                             [](const Route&) { return true; });
    }

    std::vector<std::pair<uint64_t, std::string>> questions() {
        std::vector<std::pair<uint64_t, std::string>> out;
        cache_.take_unasked([&](uint64_t cookie, std::string_view text) {
            out.emplace_back(cookie, text);
            return true;
        });
        return out;
    }

    bool answer(uint64_t cookie, bool per_domain, uint32_t ttl_s, int64_t now_us = 0) {
        Route route;
        route.kind = Route::Kind::destination;
        return cache_.answer(cookie, per_domain, ttl_s, now_us, route, waiters_, others_);
    }

    ResolveCache cache_{1, 4};
    std::vector<ResolveWaiter> waiters_;
    std::vector<ResolveWaiter> others_;
};

TEST_F(ResolveCacheTest, AsksOnceAndRemembersForItsTime) {
    EXPECT_EQ(look("a@Y.example", 1).route, nullptr);
    EXPECT_EQ(look("b@y.EXAMPLE", 2).route, nullptr);
    const auto asked = questions();
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_FALSE(answer(asked[0].first + 1, true, 60));
    EXPECT_TRUE(answer(asked[0].first, true, 60));
    EXPECT_EQ(waiters_.size(), 2U);
    EXPECT_FALSE(answer(asked[0].first, true, 60)) << "answered already";
    EXPECT_NE(look("c@y.example", 3, 59 * kSecondUs).route, nullptr);
    EXPECT_EQ(look("c@y.example", 3, 60 * kSecondUs).route, nullptr);
    EXPECT_EQ(questions().size(), 1U);
}

TEST_F(ResolveCacheTest, TakesNoLateAnswerForAQuestionThatWasAskedAgain) {
    look("a@y.example", 1);
    const auto first = questions();
    ASSERT_TRUE(answer(first.at(0).first, true, 60));
    look("a@y.example", 2, 61 * kSecondUs);
    const auto second = questions();
    ASSERT_EQ(second.size(), 1U);
    EXPECT_FALSE(answer(first[0].first, true, 60, 61 * kSecondUs));
    EXPECT_TRUE(answer(second[0].first, true, 60, 61 * kSecondUs));
    EXPECT_EQ(waiters_.size(), 1U);
}

TEST_F(ResolveCacheTest, KeepsAnswersForOneAddressApart) {
    look("a@y.example", 1);
    look("b@y.example", 2);
    ASSERT_TRUE(answer(questions().at(0).first, false, 60));
    ASSERT_EQ(waiters_.size(), 1U);
    EXPECT_EQ(waiters_[0].recipient, 1U);
    ASSERT_EQ(others_.size(), 1U);
    EXPECT_EQ(look("b@y.example", 2).route, nullptr);
    const auto asked = questions();
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0].second, "b@y.example");
    ASSERT_TRUE(answer(asked[0].first, false, 60));
    EXPECT_NE(look("b@y.example", 3).route, nullptr);
}

TEST_F(ResolveCacheTest, DropsTheOldestAnswerAndNeverAQuestion) {
    for (const char* recipient : {"a@1", "a@2", "a@3", "a@4"}) look(recipient);
    EXPECT_TRUE(look("a@5").full);
    const auto asked = questions();
    ASSERT_TRUE(answer(asked[1].first, true, 60));
    EXPECT_FALSE(look("a@5").full);
    EXPECT_EQ(look("a@2").full, true) << "its answer was the oldest";
    EXPECT_EQ(cache_.size(), 4U);
}

TEST_F(ResolveCacheTest, AsksForEverythingAnewWhenTheTablesMayHaveChanged) {
    look("a@x.example");
    look("b@y.example");
    look("c@z.example");
    const auto asked = questions();
    answer(asked[0].first, true, 3600);
    answer(asked[1].first, false, 3600);
    cache_.expire_all();
    EXPECT_EQ(look("a@x.example").route, nullptr);
    EXPECT_EQ(look("d@y.example").route, nullptr);
    EXPECT_EQ(questions().size(), 2U);
    EXPECT_TRUE(answer(asked[2].first, true, 3600)) << "what was asked is still to be answered";
}

TEST_F(ResolveCacheTest, AsksAgainWhatWasAskedOfTheDead) {
    look("a@1");
    look("a@2");
    const auto first = questions();
    ASSERT_TRUE(answer(first[0].first, true, 60));
    cache_.ask_all_again();
    const auto again = questions();
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(again[0].second, "a@2");
}

TEST(OutcomeLog, KeepsUntilRecordedAndReplaysInOrder) {
    OutcomeLog log;
    wire::RecordOutcome outcome;
    for (MessageId id = 1; id <= 4; ++id) {
        outcome.id = id;
        EXPECT_EQ(log.add(outcome, id % 2 == 0), id);
    }
    std::vector<uint64_t> sent;
    const auto send = [&](size_t room) {
        log.send([&](const std::string& body) {
            wire::RecordOutcome copy;
            EXPECT_TRUE(wire::decode(body, copy));
            if (room == 0) return false;
            --room;
            sent.push_back(copy.sequence);
            return true;
        });
    };
    send(3);
    std::vector<std::pair<MessageId, bool>> recorded;
    const auto record = [&](uint64_t sequence) {
        log.recorded(sequence, [&](MessageId id, bool final) { recorded.emplace_back(id, final); });
    };
    record(1);
    EXPECT_EQ(recorded, (std::vector<std::pair<MessageId, bool>>{{1, false}}));
    log.replay();
    send(10);
    EXPECT_EQ(sent, (std::vector<uint64_t>{1, 2, 3, 2, 3, 4}));
    record(1'000'000);
    EXPECT_EQ(log.size(), 0U);
    EXPECT_EQ(log.recorded_up_to(), 4U);
    EXPECT_EQ(recorded.back(), (std::pair<MessageId, bool>{4, true}));
}

TEST(OutcomeLog, BelievesNoConfirmationOfWhatWasNotSent) {
    OutcomeLog log;
    wire::RecordOutcome outcome;
    log.add(outcome, true);
    log.recorded(5, [](MessageId, bool) { FAIL(); });
    EXPECT_EQ(log.size(), 1U);
}

}  // namespace
}  // namespace posthaste
