// store/store_testing.h: what the store's unit tests share. Header only, for *_test.cpp.
#pragma once

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "mail/envelope.h"
#include "mail/queue_state.h"
#include "runtime/log.h"

#include "store/queue_store.h"

#include "support/sim_disk.h"

namespace posthaste::store {

class RecordingLog final : public Log {
 public:
    void line(wire::Severity severity, std::string_view text) override {
        lines.emplace_back(text);
        if (severity >= wire::Severity::error) errors.emplace_back(text);
    }

    bool says(std::string_view text) const {
        for (const std::string& line : lines) {
            if (line.find(text) != std::string::npos) return true;
        }
        return false;
    }

    std::vector<std::string> lines;
    std::vector<std::string> errors;
};

inline Envelope envelope_for(MessageId id, std::string_view content, size_t recipients = 1) {
    Envelope envelope;
    envelope.id = id;
    envelope.arrived_wall_us = static_cast<int64_t>(id);
    envelope.size_bytes = content.size();
    envelope.sender = "sender@example.org";
    for (size_t i = 0; i < recipients; ++i) {
        envelope.recipients.push_back({"r" + std::to_string(i) + "@example.com", "", kNotifyUnset});
    }
    envelope.client_name = "unknown";
    envelope.client_address = "192.0.2.1";
    envelope.helo = "client";
    envelope.protocol = "ESMTP";
    return envelope;
}

inline std::string encoded(const Envelope& envelope) {
    std::string out;
    encode_envelope(envelope, out);
    return out;
}

inline std::string encoded(const QueueState& state) {
    std::string out;
    encode_queue_state(state, out);
    return out;
}

inline std::string deferred_state(uint32_t due_s, std::vector<uint32_t> recipients = {0}) {
    QueueState state;
    state.queue = QueueName::deferred;
    state.groups.push_back({due_s, 1, std::move(recipients)});
    return encoded(state);
}

// The same for the same id.
inline std::string content_of(MessageId id, size_t bytes = 4000) {
    std::string out = "Subject: " + std::to_string(id) + "\r\n\r\n";
    while (out.size() < bytes) out += static_cast<char>('a' + (out.size() * id) % 26);
    return out;
}

inline void add(QueueStore& store, MessageId id, std::string_view content) {
    store.add_message(id, encoded(envelope_for(id, content)), {&content, 1});
}

// Messages 1 to `messages` of 40,000 bytes, all but every `kept`th removed again, and their bytes
// known to be garbage. The others are as content_of() says.
inline void leave_holes(QueueStore& store, MessageId messages, MessageId kept) {
    for (MessageId id = 1; id <= messages; ++id) {
        add(store, id, content_of(id, 40'000));
        if (id % 50 == 0) {
            ASSERT_TRUE(store.commit());
        }
    }
    ASSERT_TRUE(store.commit());
    ASSERT_TRUE(store.flush());
    const uint64_t all = store.property("rocksdb.live-blob-file-size").value_or(0);
    ASSERT_GT(all, messages * 40'000);
    for (MessageId id = 1; id <= messages; ++id) {
        if (id % kept != 0) store.remove_message(id, false);
    }
    ASSERT_TRUE(store.commit());
    store.make_room();
    const uint64_t removed = (messages - messages / kept) * 40'000;
    const auto garbage = [&] {
        return store.property("rocksdb.live-blob-file-garbage-size").value_or(0);
    };
    for (int i = 0; i < 1000 && garbage() < removed; ++i) ::usleep(10'000);
    ASSERT_GE(garbage(), removed);
    ASSERT_EQ(store.property("rocksdb.live-blob-file-size").value_or(0), all);
}

// A queue on a disk in memory.
class OnSimDisk {
 public:
    static constexpr char kDirectory[] = "db";

    std::unique_ptr<QueueStore> open() {
        QueueStoreOptions options;
        options.file_system = disk.file_system();
        options.memtable_bytes = 4 << 20;
        auto opened = QueueStore::open(kDirectory, options, log);
        EXPECT_TRUE(opened.has_value()) << (log.errors.empty() ? "" : log.errors.back());
        return opened ? std::move(*opened) : nullptr;
    }

    std::unique_ptr<QueueStore> power_cut_and_open(
        std::unique_ptr<QueueStore> store, const std::function<uint64_t()>* random = nullptr) {
        disk.power_cut(random);
        store.reset();
        return open();
    }

    SimDisk disk;
    RecordingLog log;
};

// All ids a scan finds.
inline std::vector<MessageId> scan_all(QueueStore& store, size_t page = 3) {
    std::vector<MessageId> ids;
    std::vector<wire::ScanEntry> entries;
    bool last = false;
    while (!last) {
        const auto done = store.scan(ids.empty() ? kNoMessage : ids.back(), page, entries, last);
        EXPECT_TRUE(done.has_value());
        if (!done || (entries.empty() && !last)) break;
        for (const auto& entry : entries) ids.push_back(entry.id);
    }
    return ids;
}

}  // namespace posthaste::store
