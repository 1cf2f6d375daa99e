// The queue on disk, damaged byte by byte in every kind of file it consists of: the store opens it
// or says why not, never believes damaged bytes, keeps what is whole, and deletes nothing it could
// not read. Real files, the store's own code, one process a case: one that crashes or hangs is found.
//
//   POSTHASTE_DAMAGE=all     every byte of every file, which takes more than an hour; =n about n of
//                            each file, evenly spread (default: kSampleBytes)
//   POSTHASTE_SEED=n         the same sample again; the seed is printed
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

#include "store/store_testing.h"

namespace posthaste::store {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSampleBytes = 40;  // of each file
constexpr size_t kSampleCuts = 6;
constexpr unsigned kHangS = 30;

// What became of one damaged queue.
enum class Outcome : int {
    whole = 0,    // nobody noticed: the byte means nothing, or the message is not worse for it
    told = 1,     // opened; what is missing is missing with a word in the log
    refused = 2,  // not opened, with a word
    silently_lost = 10,
    wrong_bytes = 11,
    unreadable = 12,  // opened, and the rest of the queue could not be read for it
    refused_without_a_word = 13,
    crashed = 14,
};

constexpr std::string_view kNames[] = {"whole", "told", "refused"};

std::string content_of(MessageId id) {
    const size_t bytes = id % 5 == 0 ? 30'000 : 400 + id * 100;  // every fifth beside the tables
    std::string out = "Subject: " + std::to_string(id) + "\r\n\r\n";
    while (out.size() < bytes) out += static_cast<char>('a' + (out.size() * id) % 26);
    return out;
}

const std::set<MessageId> kMessages = {1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12};

QueueStoreOptions options() {
    QueueStoreOptions out;
    out.memtable_bytes = 1 << 20;
    return out;
}

// Tables, blobs and a manifest, and a log behind them that a process left when it was killed.
void make_queue(const fs::path& directory) {
    RecordingLog log;
    auto opened = QueueStore::open(directory.string(), options(), log);
    if (!opened) ::_exit(1);
    QueueStore& store = **opened;
    for (MessageId id = 1; id <= 8; ++id) add(store, id, content_of(id));
    store.put_state(2, deferred_state(1000));
    store.put_reason(2, 0, "4.4.1", "connect to dest.test: Connection refused");
    store.put_id_mark(100);
    if (!store.commit() || !store.flush()) ::_exit(1);
    for (MessageId id = 9; id <= 12; ++id) {
        add(store, id, content_of(id));
        if (!store.commit()) ::_exit(1);
    }
    store.put_state(3, deferred_state(2000));
    store.remove_message(4, false);
    ::_exit(store.commit() ? 0 : 1);
}

bool is_whole(QueueStore& store, MessageId id) {
    const auto stored = store.load(id);
    if (!stored || stored->envelope != encoded(envelope_for(id, content_of(id)))) return false;
    const auto content = store.load_content(id);
    return content && *content == content_of(id);
}

// In a process of its own.
Outcome judge(const fs::path& directory) {
    RecordingLog log;
    auto opened = QueueStore::open(directory.string(), options(), log);
    if (!opened)
        return log.errors.empty() && opened.error().text().empty() ? Outcome::refused_without_a_word
                                                                   : Outcome::refused;
    QueueStore& store = **opened;
    std::vector<wire::ScanEntry> entries;
    bool last = false;
    if (!store.scan(kNoMessage, 100, entries, last)) return Outcome::unreadable;
    std::set<MessageId> listed;
    for (const auto& entry : entries) listed.insert(entry.id);
    bool all = true;
    for (const MessageId id : kMessages) {
        const auto content = store.load_content(id);
        if (content && *content != content_of(id)) return Outcome::wrong_bytes;
        const auto stored = store.load(id);
        if (stored && stored->envelope != encoded(envelope_for(id, content_of(id))))
            return Outcome::wrong_bytes;
        all = all && listed.contains(id) && is_whole(store, id);
    }
    if (all) return Outcome::whole;
    // Gone, and with it what said that it was there: then the log that held it is kept.
    return log.errors.empty() ? Outcome::silently_lost : Outcome::told;
}

std::string read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write(const fs::path& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<ssize_t>(bytes.size()));
}

// "000012.sst" → "sst"; "MANIFEST-000005" → "MANIFEST".
std::string kind_of(const std::string& name) {
    if (const size_t dot = name.rfind('.'); dot != std::string::npos) return name.substr(dot + 1);
    return name.substr(0, name.find('-'));
}

// A child's exit status, or crashed.
template <class Work>
Outcome in_child(Work work) {
    std::fflush(nullptr);
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::alarm(kHangS);
        ::_exit(static_cast<int>(work()));
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? Outcome{WEXITSTATUS(status)} : Outcome::crashed;
}

class DamagedQueue : public testing::Test {
 protected:
    void SetUp() override {
        std::error_code none;
        const fs::path base = fs::exists("/dev/shm", none) ? "/dev/shm" : "/var/tmp";
        std::string name = (base / "posthaste-damage-XXXXXX").string();
        directory_ = ::mkdtemp(name.data());
        fs::create_directory(directory_ / "sound");
        ASSERT_EQ(in_child([&] {
                      make_queue(directory_ / "sound");
                      return Outcome::whole;
                  }),
                  Outcome::whole);
        for (const auto& entry : fs::directory_iterator(directory_ / "sound"))
            files_[entry.path().filename().string()] = read(entry.path());
        // RocksDB's diary and lock are no part of the queue.
        std::erase_if(files_, [](const auto& file) {
            return file.first.starts_with("LOG") || file.first == "LOCK" ||
                   file.first.ends_with(".spare");
        });
        const char* const seed = std::getenv("POSTHASTE_SEED");
        seed_ = seed != nullptr ? std::strtoul(seed, nullptr, 10) : std::random_device{}();
        random_.seed(seed_);
        if (const char* const damage = std::getenv("POSTHASTE_DAMAGE")) {
            sample_bytes_ =
                std::string_view(damage) == "all" ? SIZE_MAX : std::strtoul(damage, nullptr, 10);
            ASSERT_GT(sample_bytes_, 0U) << "POSTHASTE_DAMAGE is \"all\" or a number of bytes";
        }
        std::printf("seed %lu\n", seed_);
    }

    void TearDown() override { fs::remove_all(directory_); }

    // `damaged` nothing: the file is not there.
    void try_out(const std::string& name, const std::optional<std::string>& damaged,
                 const std::string& what) {
        const fs::path here = directory_ / "damaged";
        fs::remove_all(here);
        fs::create_directory(here);
        for (const auto& [each, bytes] : files_)
            if (each != name) write(here / each, bytes);
        if (damaged) write(here / name, *damaged);
        const Outcome outcome = in_child([&] { return judge(here); });
        ++counts_[kind_of(name)][outcome];
        EXPECT_LE(static_cast<int>(outcome), static_cast<int>(Outcome::refused))
            << name << ": " << what << ": outcome " << static_cast<int>(outcome);
        // A damaged record may be one that a later one has made needless: saved, and nothing missing.
        const bool saved = fs::exists(here / "saved-log-1");
        const bool log_damaged = kind_of(name) == "log" && damaged;
        EXPECT_TRUE(log_damaged || !saved)
            << name << ": " << what << ": logs are saved, and none is damaged";
        EXPECT_TRUE(saved || !log_damaged || outcome == Outcome::whole)
            << name << ": " << what << ": something is missing, and no log was saved";
        if (outcome == Outcome::refused) expect_repairable(here, name, what);
        if (outcome == Outcome::told && kind_of(name) == "log" && damaged) {
            EXPECT_EQ(read(here / "saved-log-1" / name), *damaged)
                << name << ": " << what << ": not saved aside";
        }
    }

    // Who does not start has deleted nothing: with the file as it was everything is there.
    void expect_repairable(const fs::path& here, const std::string& name, const std::string& what) {
        write(here / name, files_.at(name));
        EXPECT_EQ(in_child([&] { return judge(here); }), Outcome::whole)
            << name << ": " << what << ": put right, and something is missing all the same";
    }

    static std::string_view without_zeros(std::string_view bytes) {
        return bytes.substr(0, bytes.find_last_not_of('\0') + 1);
    }

    void sweep(const std::string& name, const std::string& bytes) {
        const size_t size = without_zeros(bytes).size();
        const auto below = [&](size_t bound) { return random_() % bound; };
        const size_t step = std::max<size_t>(1, size / sample_bytes_);
        for (size_t at = below(step); at < size; at += step) {
            std::string damaged = bytes;
            const char change = static_cast<char>(1 + below(255));
            damaged[at] = static_cast<char>(damaged[at] ^ change);
            try_out(name, damaged, "byte " + std::to_string(at));
        }
        // A manifest or a log that ends early is an earlier one: nobody can tell. Both are synced
        // before anything is built on them, so no crash cuts them.
        const bool grows = kind_of(name) == "MANIFEST" || kind_of(name) == "log";
        for (size_t cut = 0; cut < kSampleCuts && !grows; ++cut) {
            const size_t at = below(size);
            try_out(name, bytes.substr(0, at), "cut at " + std::to_string(at));
        }
        try_out(name, std::nullopt, "gone");
    }

    fs::path directory_;
    std::map<std::string, std::string> files_;
    std::map<std::string, std::map<Outcome, size_t>> counts_;
    unsigned long seed_ = 0;
    std::mt19937_64 random_;
    size_t sample_bytes_ = kSampleBytes;
};

TEST_F(DamagedQueue, OpensOrSaysWhyNotAndKeepsWhatIsWhole) {
    std::set<std::string> kinds;
    for (const auto& [name, bytes] : files_) kinds.insert(kind_of(name));
    EXPECT_EQ(kinds, (std::set<std::string>{"CURRENT", "IDENTITY", "MANIFEST", "OPTIONS", "blob",
                                            "log", "sst"}));
    for (const auto& [name, bytes] : files_) {
        std::printf("%s: %zu bytes\n", name.c_str(), without_zeros(bytes).size());
        sweep(name, bytes);
    }
    for (const auto& [kind, outcomes] : counts_) {
        std::printf("%-9s", kind.c_str());
        for (const auto& [outcome, count] : outcomes) {
            const auto number = static_cast<size_t>(outcome);
            std::printf("  %zu %s", count,
                        number < std::size(kNames) ? kNames[number].data() : "FAILED");
        }
        std::printf("\n");
    }
}

// The one bit of a table that RocksDB asserts on, before it has verified the checksum over it.
TEST_F(DamagedQueue, NamesTheTableWhosePropertiesRocksDbWouldAssertOn) {
    size_t tables = 0;
    for (const auto& [name, bytes] : files_) {
        if (kind_of(name) != "sst") continue;
        ++tables;
        // The properties end before the metaindex, whose place the footer begins with.
        uint64_t metaindex = 0;
        unsigned shift = 0;
        for (size_t at = bytes.size() - 52;; ++at, shift += 7) {
            metaindex |= uint64_t{bytes[at] & 0x7fU} << shift;
            if ((bytes[at] & 0x80) == 0) break;
        }
        constexpr size_t kTrailerBytes = 5;
        std::string damaged = bytes;
        damaged[metaindex - kTrailerBytes - 1] ^= '\x80';
        try_out(name, damaged, "hash index bit");
    }
    EXPECT_GT(tables, 0U);
    EXPECT_EQ(counts_["sst"][Outcome::refused], tables);
}

}  // namespace
}  // namespace posthaste::store
