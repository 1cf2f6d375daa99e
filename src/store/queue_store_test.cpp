#include "store/queue_store.h"

#include <algorithm>
#include <functional>
#include <gtest/gtest.h>

#include "store/store_testing.h"

namespace posthaste::store {
namespace {

using Ids = std::vector<MessageId>;

TEST(QueueStore, GivesBackWhatWasCommitted) {
    OnSimDisk on;
    const auto store = on.open();
    const std::string header = "Subject: x\r\n\r\n";
    const std::string body(100'000, 'b');
    const std::string_view pieces[] = {header, body};
    const std::string envelope = encoded(envelope_for(7, header + body));
    store->add_message(7, envelope, pieces);
    EXPECT_FALSE(store->has_message(7));
    ASSERT_TRUE(store->commit());
    EXPECT_TRUE(store->has_message(7));
    EXPECT_TRUE(store->batch_empty());
    const auto stored = store->load(7);
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->envelope, envelope);
    EXPECT_EQ(stored->state, "");
    const auto content = store->load_content(7);
    ASSERT_TRUE(content);
    EXPECT_EQ(*content, header + body);
}

TEST(QueueStore, MessagesOutliveAPowerCutOnlyWhenCommitted) {
    OnSimDisk on;
    auto store = on.open();
    add(*store, 1, content_of(1));
    ASSERT_TRUE(store->commit());
    add(*store, 2, content_of(2));
    store = on.power_cut_and_open(std::move(store));
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(scan_all(*store), (Ids{1}));
    EXPECT_EQ(store->load_content(1).value_or(""), content_of(1));
    EXPECT_TRUE(on.log.errors.empty());
}

// However the last, never acknowledged write was torn, everything before it is there, whole, and
// quietly.
TEST(QueueStore, TornLastWritesNeverCostAnAcknowledgedMessage) {
    for (uint64_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE(seed);
        uint64_t state = seed * 0x9e37'79b9'7f4a'7c15;
        const std::function<uint64_t()> random = [&state] {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            return state;
        };
        OnSimDisk on;
        auto store = on.open();
        MessageId id = 0;
        for (uint64_t batch = 0; batch < 1 + random() % 3; ++batch) {
            for (uint64_t i = 0; i < 1 + random() % 4; ++i) {
                ++id;
                add(*store, id, content_of(id, random() % 60'000));
            }
            ASSERT_TRUE(store->commit());
        }
        // A write that is made and fails to sync: the log file holds it, nobody was told.
        const MessageId acknowledged = id;
        for (uint64_t i = 0; i < 3; ++i) {
            ++id;
            add(*store, id, content_of(id, random() % 60'000));
        }
        on.disk.fail_after(random() % 3, SimDisk::Fault::io_error, ".log");
        (void)store->commit();
        on.disk.heal();
        store = on.power_cut_and_open(std::move(store), &random);
        ASSERT_NE(store, nullptr);
        for (MessageId one = 1; one <= acknowledged; ++one) {
            ASSERT_TRUE(store->has_message(one)) << one;
            ASSERT_TRUE(store->load_content(one)) << one;
        }
        // All of the last batch or nothing of it.
        EXPECT_EQ(store->has_message(acknowledged + 1), store->has_message(id));
        EXPECT_FALSE(on.log.says("damaged"));
    }
}

TEST(QueueStore, WhatCameAndWentBeforeAFlushLeavesNothingInTheTables) {
    OnSimDisk on;
    const auto store = on.open();
    for (MessageId id = 1; id <= 50; ++id) {
        add(*store, id, content_of(id, 20'000));
        ASSERT_TRUE(store->commit());
        store->remove_message(id, false);
        ASSERT_TRUE(store->commit());
    }
    ASSERT_TRUE(store->flush());
    // Only the format's line in `meta`.
    EXPECT_LT(store->property("rocksdb.total-sst-files-size").value_or(UINT64_MAX), 3000u);
    EXPECT_EQ(store->property("rocksdb.total-blob-file-size").value_or(UINT64_MAX), 0u);
    EXPECT_TRUE(scan_all(*store).empty());
}

TEST(QueueStore, ARemovalAfterAFlushRemoves) {
    OnSimDisk on;
    auto store = on.open();
    add(*store, 1, content_of(1));
    add(*store, 2, content_of(2, 50'000));
    ASSERT_TRUE(store->commit());
    ASSERT_TRUE(store->flush());
    store->remove_message(1, false);
    store->remove_message(2, false);
    ASSERT_TRUE(store->commit());
    ASSERT_TRUE(store->flush());
    store = on.power_cut_and_open(std::move(store));
    EXPECT_FALSE(store->has_message(1));
    EXPECT_EQ(store->load(2).error().code, Errc::not_found);
}

TEST(QueueStore, RemovingTwiceOrWhatWasNeverThereIsHarmless) {
    OnSimDisk on;
    const auto store = on.open();
    add(*store, 1, content_of(1));
    ASSERT_TRUE(store->commit());
    for (int i = 0; i < 3; ++i) {
        store->remove_message(1, true);
        store->remove_message(99, true);
        ASSERT_TRUE(store->commit());
        ASSERT_TRUE(store->flush());
    }
    EXPECT_FALSE(store->has_message(1));
    EXPECT_FALSE(store->has_failed());
}

TEST(QueueStore, ScansPagesWithQueueAndDueTime) {
    OnSimDisk on;
    auto store = on.open();
    for (MessageId id = 1; id <= 10; ++id) add(*store, id, content_of(id));
    store->put_state(3, deferred_state(1'700'000'000));
    store->put_state(8, deferred_state(1'700'000'500));
    ASSERT_TRUE(store->commit());
    store = on.power_cut_and_open(std::move(store));
    EXPECT_EQ(scan_all(*store, 4), (Ids{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
    std::vector<wire::ScanEntry> entries;
    bool last = false;
    ASSERT_TRUE(store->scan(2, 100, entries, last));
    EXPECT_TRUE(last);
    ASSERT_EQ(entries.size(), 8u);
    EXPECT_EQ(entries[0].id, 3u);
    EXPECT_EQ(entries[0].queue, QueueName::deferred);
    EXPECT_EQ(entries[0].due_s, 1'700'000'000u);
    EXPECT_EQ(entries[1].queue, QueueName::active);
    EXPECT_EQ(entries[5].due_s, 1'700'000'500u);
    ASSERT_TRUE(store->scan(UINT64_MAX, 100, entries, last));
    EXPECT_TRUE(last && entries.empty());
}

// Else whoever asks for a listing makes the commits wait for it.
TEST(QueueStore, APageOfAListingPassesABoundedPartOfWhatWasRemoved) {
    for (const MessageId distance : {1u, 100'000u}) {
        OnSimDisk on;
        const auto store = on.open();
        constexpr MessageId kMany = 8000;
        for (MessageId i = 1; i <= kMany; ++i) {
            add(*store, i * distance, "x");
            if (i % 1000 == 0) {
                ASSERT_TRUE(store->commit());
            }
        }
        for (MessageId i = 1; i <= kMany; ++i) {
            if (i % 3500 != 0) store->remove_message(i * distance, false);
        }
        ASSERT_TRUE(store->commit());
        QueueStore::ListPlace place;
        Ids found;
        Ids ids;
        size_t pages = 0;
        for (; !place.at_end && pages < 1000; ++pages) {
            ASSERT_TRUE(store->list_page(place, 32, ids));
            found.insert(found.end(), ids.begin(), ids.end());
        }
        EXPECT_EQ(found, (Ids{3500 * distance, 7000 * distance}));
        EXPECT_GT(pages, 3u);
        EXPECT_LT(pages, 100u);
    }
}

TEST(QueueStore, StatesReplaceEachOtherAndReasonsAdd) {
    OnSimDisk on;
    const auto store = on.open();
    add(*store, 1, content_of(1));
    store->put_state(1, deferred_state(100));
    store->put_reason(1, 0, "4.4.1", "connect: refused");
    ASSERT_TRUE(store->commit());
    store->put_state(1, deferred_state(200));
    store->put_reason(1, 5, "4.2.0", "greylisted");
    store->put_reason(1, 0, "4.4.1", "connect: timed out");
    add(*store, 2, content_of(2));
    store->put_reason(2, 0, "4.0.0", "of another message");
    ASSERT_TRUE(store->commit());
    EXPECT_EQ(store->load(1)->state, deferred_state(200));
    const auto reasons = store->reasons(1);
    ASSERT_EQ(reasons.size(), 2u);
    EXPECT_EQ(reasons[0].text, "connect: timed out");
    EXPECT_EQ(reasons[1].recipient, 5u);
    EXPECT_EQ(reasons[1].dsn, "4.2.0");
    store->remove_message(1, true);
    ASSERT_TRUE(store->commit());
    EXPECT_TRUE(store->reasons(1).empty());
    EXPECT_EQ(store->reasons(2).size(), 1u);
}

TEST(QueueStore, DropsAStateWhoseMessageIsGone) {
    OnSimDisk on;
    const auto store = on.open();
    add(*store, 1, content_of(1));
    store->put_state(1, deferred_state(100));
    add(*store, 5, content_of(5));
    ASSERT_TRUE(store->commit());
    store->remove_message(1, false);  // a wrong "had no state"
    ASSERT_TRUE(store->commit());
    EXPECT_EQ(scan_all(*store), (Ids{5}));
    add(*store, 1, content_of(1));
    ASSERT_TRUE(store->commit());
    EXPECT_EQ(store->load(1)->state, "");
}

TEST(QueueStore, KeepsTheIdMark) {
    OnSimDisk on;
    auto store = on.open();
    EXPECT_EQ(store->id_mark(), kNoMessage);
    store->put_id_mark(123'456);
    ASSERT_TRUE(store->commit());
    store->put_id_mark(999'999);  // never written
    store = on.power_cut_and_open(std::move(store));
    EXPECT_EQ(store->id_mark(), 123'456u);
}

// Else the next lease would give out, as never used, ids that are in the queue.
TEST(QueueStore, AnIdMarkLostInADamagedLogIsMadeUpFor) {
    OnSimDisk on;
    auto store = on.open();
    store->put_id_mark(100);
    ASSERT_TRUE(store->commit());
    store->put_id_mark(2000);
    add(*store, 50, std::string(40'000, 'm'));  // marks the place in the log
    ASSERT_TRUE(store->commit());
    add(*store, 1500, content_of(1500));
    ASSERT_TRUE(store->commit());
    on.disk.power_cut();
    store.reset();
    for (const auto& name : on.disk.names_ending(".log")) {
        const size_t at = on.disk.read(name).find("mmmmmmmm");
        if (at != std::string::npos) on.disk.overwrite(name, at, "damage");
    }
    store = on.open();
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(scan_all(*store), (Ids{1500}));
    EXPECT_EQ(store->id_mark(), 1501u);
    EXPECT_TRUE(on.log.says(queue_id_text(1500)));
}

TEST(QueueStore, MovesWhatDoesNotParseToQuarantineAndKeepsTheRest) {
    OnSimDisk on;
    const auto store = on.open();
    add(*store, 1, content_of(1));
    const std::string_view content = "some content";
    store->add_message(2, "this is no envelope", {&content, 1});
    store->add_message(3, encoded(envelope_for(4, content)), {&content, 1});  // of another message
    add(*store, 5, content_of(5));
    store->put_state(5, "this is no state");
    add(*store, 6, content_of(6));
    ASSERT_TRUE(store->commit());
    EXPECT_EQ(scan_all(*store, 2), (Ids{1, 6}));
    EXPECT_EQ(store->quarantined_total(), 3u);
    EXPECT_FALSE(store->has_message(2));
    EXPECT_TRUE(on.log.says(queue_id_text(5)));
    // Once.
    EXPECT_EQ(scan_all(*store), (Ids{1, 6}));
    EXPECT_EQ(store->quarantined_total(), 3u);
}

TEST(QueueStore, FindsDamageInContentWhenItIsLoaded) {
    OnSimDisk on;
    auto store = on.open();
    const std::string body(20'000, 'q');  // lies in a blob file, whose bytes we can reach
    add(*store, 1, body);
    ASSERT_TRUE(store->commit());
    ASSERT_TRUE(store->flush());
    store.reset();
    const auto blobs = on.disk.names_ending(".blob");
    ASSERT_FALSE(blobs.empty());
    const size_t at = on.disk.read(blobs[0]).find("qqqqqqqq");
    ASSERT_NE(at, std::string::npos);
    on.disk.overwrite(blobs[0], at + 5000, "Q");
    store = on.open();
    ASSERT_NE(store, nullptr);
    const auto content = store->load_content(1);
    ASSERT_FALSE(content);
    EXPECT_EQ(content.error().code, Errc::corrupt);
    EXPECT_EQ(store->quarantined_total(), 1u);
    EXPECT_FALSE(store->has_failed());
}

// No descriptors, no memory, a cable that came loose: the message is as good as before.
TEST(QueueStore, WhatCanNotBeReadForNowIsNotDamaged) {
    OnSimDisk on;
    auto store = on.open();
    const std::string body(20'000, 'q');  // in a blob file
    add(*store, 1, body);
    const std::string_view content = body;
    store->add_message(2, "this is no envelope", {&content, 1});
    ASSERT_TRUE(store->commit());
    ASSERT_TRUE(store->flush());
    store.reset();
    store = on.open();
    on.disk.fail_reads(SimDisk::Fault::io_error, ".sst");
    EXPECT_EQ(store->load(1).error().code, Errc::os);
    on.disk.heal();
    on.disk.fail_reads(SimDisk::Fault::io_error, ".blob");
    EXPECT_EQ(store->load_content(1).error().code, Errc::os);
    // Half of a message in quarantine would be worse than none of it.
    EXPECT_FALSE(store->quarantine(2, "as a test"));
    EXPECT_EQ(store->quarantined_total(), 0u);
    on.disk.heal();
    EXPECT_TRUE(store->load(1));
    EXPECT_EQ(store->load_content(1).value_or(""), body);
    EXPECT_EQ(scan_all(*store), (Ids{1}));
    EXPECT_EQ(store->quarantined_total(), 1u);
    EXPECT_EQ(store->load_content(2).error().code, Errc::corrupt);  // it has moved too
}

// Two tables: 200 envelopes (and their content), 200 states.
class QueueStoreWithTables : public testing::Test {
 protected:
    QueueStoreWithTables() {
        for (MessageId id = 1; id <= 200; ++id) add(*store, id, "content");
        EXPECT_TRUE(store->commit());
        EXPECT_TRUE(store->flush());
        const auto before = on.disk.names_ending(".sst");
        for (const auto& name : before) {
            if (on.disk.read(name).find("sender@example.org") != std::string::npos)
                envelopes = name;
        }
        for (MessageId id = 1; id <= 200; ++id) store->put_state(id, deferred_state(100));
        EXPECT_TRUE(store->commit());
        EXPECT_TRUE(store->flush());
        for (const auto& name : on.disk.names_ending(".sst")) {
            if (std::ranges::find(before, name) == before.end()) states = name;
        }
    }

    void flip(const std::string& table, size_t at) {
        const char byte = static_cast<char>(~on.disk.read(table)[at]);
        store.reset();
        on.disk.overwrite(table, at, {&byte, 1});
        store = on.open();
    }

    OnSimDisk on;
    std::unique_ptr<QueueStore> store = on.open();
    std::string envelopes;
    std::string states;
};

TEST_F(QueueStoreWithTables, ADamagedBlockOfEnvelopesCostsTheMessagesInIt) {
    const size_t half = on.disk.read(envelopes).size() / 2;
    flip(envelopes, half);
    for (const size_t page : {3u, 1000u}) {
        const Ids found = scan_all(*store, page);
        EXPECT_GT(found.size(), 150u);
        EXPECT_LT(found.size(), 200u);
        EXPECT_EQ(found.front(), 1u);
        EXPECT_EQ(found.back(), 200u);
        Ids listed;
        ASSERT_TRUE(store->list_ids(kNoMessage, 1000, listed));
        EXPECT_EQ(listed, found);
    }
    EXPECT_TRUE(on.log.says("left in place"));
    EXPECT_EQ(store->quarantined_total(), 0u);
    // Once the block is back, so are the messages, and their states.
    flip(envelopes, half);
    EXPECT_EQ(scan_all(*store).size(), 200u);
    for (MessageId id = 1; id <= 200; ++id) EXPECT_EQ(store->load(id)->state, deferred_state(100));
}

// As a compaction would otherwise end every process that comes.
TEST_F(QueueStoreWithTables, DamagedTablesAreNotCompacted) {
    flip(envelopes, 10);
    for (int round = 0; round < 6; ++round) {
        (void)scan_all(*store);
        add(*store, static_cast<MessageId>(300 + round), "content");
        ASSERT_TRUE(store->commit());
        ASSERT_TRUE(store->flush());
    }
    EXPECT_FALSE(store->has_failed());
    store->end_for_unreadable();
    store.reset();
    store = on.open();
    EXPECT_TRUE(store->leaves_unreadable());
    EXPECT_EQ(scan_all(*store).back(), 305u);
    store.reset();
    store = on.open();
    EXPECT_FALSE(store->leaves_unreadable());
}

TEST_F(QueueStoreWithTables, DamageAtBothEndsIsPassedToo) {
    flip(envelopes, 10);
    const Ids without_first = scan_all(*store);
    EXPECT_GT(without_first.front(), 1u);
    EXPECT_EQ(without_first.back(), 200u);
    const std::string bytes = on.disk.read(envelopes);
    flip(envelopes, bytes.rfind("sender@example.org"));
    const Ids without_both = scan_all(*store);
    EXPECT_EQ(without_both.front(), without_first.front());
    EXPECT_LT(without_both.back(), 200u);
    EXPECT_GT(without_both.size(), 100u);
}

TEST_F(QueueStoreWithTables, AMessageWhoseStateIsDamagedIsFoundWhenItIsLoaded) {
    flip(states, on.disk.read(states).size() / 3);
    std::vector<wire::ScanEntry> entries;
    bool last = false;
    ASSERT_TRUE(store->scan(kNoMessage, 1000, entries, last));
    ASSERT_EQ(entries.size(), 200u);
    size_t whole = 0;
    for (const auto& entry : entries) {
        const auto stored = store->load(entry.id);
        EXPECT_EQ(stored.has_value(), entry.queue == QueueName::deferred) << entry.id;
        whole += stored.has_value() ? 1 : 0;
    }
    EXPECT_GT(whole, 0u);
    EXPECT_LT(whole, 200u);
    EXPECT_EQ(store->quarantined_total(), 200u - whole);
}

TEST(QueueStore, SavesADamagedLogAndKeepsEveryUndamagedMessage) {
    OnSimDisk on;
    auto store = on.open();
    for (MessageId id = 1; id <= 5; ++id) {
        add(*store, id, content_of(id, 40'000));
        ASSERT_TRUE(store->commit());
    }
    on.disk.power_cut();  // and not closed: everything is in the log only
    store.reset();
    const auto logs = on.disk.names_ending(".log");
    std::string log_name;
    for (const auto& name : logs) {
        if (on.disk.read(name).size() > 100'000) log_name = name;
    }
    ASSERT_FALSE(log_name.empty());
    on.disk.overwrite(log_name, 90'000, "damage");
    store = on.open();
    ASSERT_NE(store, nullptr);
    const Ids found = scan_all(*store);
    EXPECT_EQ(found, (Ids{1, 2, 4, 5}));
    EXPECT_TRUE(on.log.says("damaged"));
    EXPECT_TRUE(on.log.says("saved-log-1"));
    EXPECT_NE(on.disk.read("db/saved-log-1" + log_name.substr(2)).find("damage"),
              std::string::npos);
}

TEST(QueueStore, AFailedSyncIsFatalAndWhatWasAcknowledgedIsThereAfterwards) {
    for (const auto fault : {SimDisk::Fault::io_error, SimDisk::Fault::no_space}) {
        OnSimDisk on;
        auto store = on.open();
        add(*store, 1, content_of(1));
        ASSERT_TRUE(store->commit());
        on.disk.fail_after(0, fault, ".log");
        add(*store, 2, content_of(2));
        EXPECT_FALSE(store->commit());
        on.disk.heal();
        EXPECT_TRUE(store->has_failed());
        add(*store, 3, content_of(3));
        EXPECT_FALSE(store->commit());
        store = on.power_cut_and_open(std::move(store));
        ASSERT_NE(store, nullptr);
        EXPECT_EQ(scan_all(*store), (Ids{1}));
    }
}

TEST(QueueStore, EveryCommitIsOneSyncOfTheLog) {
    OnSimDisk on;
    const auto store = on.open();
    add(*store, 1, content_of(1));
    ASSERT_TRUE(store->commit());  // the first one syncs the directory's new log too
    const uint64_t before = on.disk.syncs();
    for (MessageId id = 10; id < 20; ++id) {
        for (MessageId i = 0; i < 5; ++i) add(*store, id * 100 + i, content_of(id));
        ASSERT_TRUE(store->commit());
    }
    EXPECT_EQ(on.disk.syncs() - before, 10u);
}

// RocksDB takes the record for one that was being written at a power cut, and forgets the tables.
TEST(QueueStore, AManifestWhoseLastRecordsLengthIsDamagedIsNotTakenForATornOne) {
    OnSimDisk on;
    auto store = on.open();
    add(*store, 1, content_of(1));
    ASSERT_TRUE(store->commit());
    ASSERT_TRUE(store->flush());
    on.disk.power_cut();
    store.reset();
    const std::string manifest = on.disk.names_ending("MANIFEST-000005").at(0);
    const std::string bytes = on.disk.read(manifest);
    size_t last = 0;
    for (size_t at = 0; at + 7 < bytes.size();) {
        last = at;
        at += 7 + static_cast<uint8_t>(bytes[at + 4]) + 256 * static_cast<uint8_t>(bytes[at + 5]);
    }
    on.disk.overwrite(manifest, last + 5, "\x20");
    QueueStoreOptions options;
    options.file_system = on.disk.file_system();
    const auto opened = QueueStore::open(OnSimDisk::kDirectory, options, on.log);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::corrupt);
    EXPECT_TRUE(on.log.says("MANIFEST-000005 is damaged after byte " + std::to_string(last)));
}

// The logs are sound: to copy them at each attempt would fill the disk.
TEST(QueueStore, AManifestThatIsDamagedIsNotTakenForTheLog) {
    OnSimDisk on;
    auto store = on.open();
    add(*store, 1, content_of(1));
    ASSERT_TRUE(store->commit());
    on.disk.power_cut();
    store.reset();
    const std::string manifest = on.disk.names_ending("MANIFEST-000005").at(0);
    on.disk.overwrite(manifest, 20, "damage");
    QueueStoreOptions options;
    options.file_system = on.disk.file_system();
    const auto opened = QueueStore::open(OnSimDisk::kDirectory, options, on.log);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::corrupt);
    EXPECT_TRUE(on.log.says("MANIFEST-000005"));
    EXPECT_FALSE(on.log.says("queue log damaged"));
    EXPECT_FALSE(on.log.says("saved-log"));
}

}  // namespace
}  // namespace posthaste::store
