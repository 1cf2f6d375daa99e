#include "store/log_file_system.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <rocksdb/file_system.h>
#include <string>
#include <sys/stat.h>
#include <thread>

#include "store/slow_removal.h"
#include "store/store_testing.h"

namespace posthaste::store {
namespace {

namespace fs = std::filesystem;

// A directory on the disk the tests are run on; tmpfs has no O_DIRECT everywhere, which is the
// fallback's test.
class LogFileSystem : public testing::Test {
 protected:
    LogFileSystem() {
        std::string name = (fs::current_path() / "store-test-XXXXXX").string();
        EXPECT_NE(mkdtemp(name.data()), nullptr);
        directory_ = name;
    }

    ~LogFileSystem() override { fs::remove_all(directory_); }

    std::unique_ptr<QueueStore> open(const std::string& directory, LogIo log_io = LogIo::uring,
                                     uint64_t memtable_bytes = 1 << 20) {
        QueueStoreOptions options;
        options.log_io = log_io;
        options.memtable_bytes = memtable_bytes;
        auto opened = QueueStore::open(directory, options, log_);
        EXPECT_TRUE(opened.has_value()) << (log_.errors.empty() ? "" : log_.errors.back());
        return opened ? std::move(*opened) : nullptr;
    }

    // What a crash of the process leaves behind.
    std::string copy() {
        const std::string to = directory_ + "-copy";
        fs::remove_all(to);
        fs::copy(directory_, to);
        return to;
    }

    static size_t spares_in(const std::string& directory) {
        size_t count = 0;
        for (const auto& entry : fs::directory_iterator(directory)) {
            count += entry.path().extension() == ".spare" ? 1 : 0;
        }
        return count;
    }

    static ino_t inode_of(const std::string& path) {
        struct stat found {};

        return ::stat(path.c_str(), &found) == 0 ? found.st_ino : 0;
    }

    static std::string bytes_of(const std::string& path) {
        std::ifstream in(path, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }

    std::string directory_;
    RecordingLog log_;
};

void write_synced(rocksdb::FSWritableFile& file, size_t bytes) {
    ASSERT_TRUE(file.Append(std::string(bytes, 'x'), {}, nullptr).ok());
    ASSERT_TRUE(file.Sync({}, nullptr).ok());
}

TEST_F(LogFileSystem, TheTimeOfSyncsIsCounted) {
    const auto store = open(directory_);
    ASSERT_NE(store, nullptr);
    const uint64_t before = store->log_sync_us();
    const std::string content(500'000, 'x');
    // The time of one may round to nothing; that of all does not.
    for (MessageId id = 1; id <= 50; ++id) {
        add(*store, id, content);
        ASSERT_TRUE(store->commit());
    }
    EXPECT_GT(store->log_sync_us(), before);
    const uint64_t after = store->log_sync_us();
    ASSERT_TRUE(store->commit());
    EXPECT_EQ(store->log_sync_us(), after) << "nothing was written";
}

TEST_F(LogFileSystem, BytesOfASyncedLogAreOnDiskAndThoseBehindThemAreZeros) {
    LogFileOptions options;
    options.zeroed_bytes = 1 << 20;
    auto file_system = make_log_file_system(nullptr, directory_, options, log_).file_system;
    std::unique_ptr<rocksdb::FSWritableFile> file;
    const std::string path = directory_ + "/000001.log";
    ASSERT_TRUE(file_system->NewWritableFile(path, {}, &file, nullptr).ok());
    std::string written;
    // Sizes around blocks and beyond the buffer.
    for (const size_t size : {1, 4095, 4096, 4097, 10, 100'000, 3'000'000, 5}) {
        const std::string piece(size, static_cast<char>('a' + size % 26));
        ASSERT_TRUE(file->Append(piece, {}, nullptr).ok());
        written += piece;
        ASSERT_TRUE(file->Sync({}, nullptr).ok());
        const std::string on_disk = bytes_of(path);
        ASSERT_GE(on_disk.size(), written.size());
        EXPECT_EQ(on_disk.compare(0, written.size(), written), 0) << size;
        EXPECT_EQ(on_disk.find_first_not_of('\0', written.size()), std::string::npos) << size;
        EXPECT_EQ(file->GetFileSize({}, nullptr), written.size());
    }
    ASSERT_TRUE(file->Close({}, nullptr).ok());
    file.reset();
    file_system.reset();
    EXPECT_EQ(bytes_of(path), written) << "whoever looks at a closed queue sees no zeros";
}

TEST_F(LogFileSystem, AQueueCopiedWhileItRunsIsWholeAndQuiet) {
    const auto store = open(directory_);
    for (MessageId id = 1; id <= 20; ++id) {
        add(*store, id, std::string(10'000 + id, 'm'));
        ASSERT_TRUE(store->commit());
    }
    const std::string copied = copy();
    {
        const auto again = open(copied);
        ASSERT_NE(again, nullptr);
        EXPECT_EQ(scan_all(*again).size(), 20u);
        EXPECT_EQ(again->load_content(20).value_or("").size(), 10'020u);
    }
    fs::remove_all(copied);
    EXPECT_TRUE(log_.errors.empty());
    EXPECT_FALSE(log_.says("cut off"));
}

TEST_F(LogFileSystem, LogsTurnOverAndNothingIsLost) {
    auto store = open(directory_);
    // Four memtables' worth in few syncs: disks can be slow.
    for (MessageId id = 1; id <= 40; ++id) {
        add(*store, id, std::string(100'000, 't'));
        if (id % 5 != 0) continue;
        ASSERT_TRUE(store->commit());
    }
    store.reset();
    store = open(directory_, LogIo::posix);
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(scan_all(*store, 100).size(), 40u);
    add(*store, 41, "posix");
    ASSERT_TRUE(store->commit());
    store.reset();
    store = open(directory_);
    EXPECT_EQ(scan_all(*store, 100).size(), 41u);
    EXPECT_TRUE(log_.errors.empty());
}

TEST_F(LogFileSystem, TurnsToAZeroedFileWhenTheLogHasOutgrownItsZeros) {
    LogFileOptions options;
    options.zeroed_bytes = 16 << 20;
    const LogFiles files = make_log_file_system(nullptr, directory_, options, log_);
    std::unique_ptr<rocksdb::FSWritableFile> file;
    ASSERT_TRUE(
        files.file_system->NewWritableFile(directory_ + "/000001.log", {}, &file, nullptr).ok());
    write_synced(*file, 1 << 20);
    EXPECT_FALSE(files.new_log_pays());
    EXPECT_EQ(spares_in(directory_), 0u);  // an idle relay costs no disk
    write_synced(*file, 9 << 20);          // past the 8 MiB that a first log is given
    while (!files.new_log_pays()) std::this_thread::yield();
    EXPECT_EQ(spares_in(directory_), 1u);
    ASSERT_TRUE(
        files.file_system->NewWritableFile(directory_ + "/000002.log", {}, &file, nullptr).ok());
    EXPECT_EQ(spares_in(directory_), 0u);
    write_synced(*file, 12 << 20);
    EXPECT_EQ(bytes_of(directory_ + "/000002.log").size(), 16u << 20);
    EXPECT_FALSE(files.new_log_pays());
    file.reset();
}

TEST_F(LogFileSystem, AnOldLogIsZeroedAndUsedAgain) {
    LogFileOptions options;
    options.zeroed_bytes = 4 << 20;
    const LogFiles files = make_log_file_system(nullptr, directory_, options, log_);
    rocksdb::FileSystem& file_system = *files.file_system;
    const std::string first = directory_ + "/000001.log";
    const std::string second = directory_ + "/000002.log";
    const std::string third = directory_ + "/000003.log";
    std::unique_ptr<rocksdb::FSWritableFile> file;
    ASSERT_TRUE(file_system.NewWritableFile(first, {}, &file, nullptr).ok());
    write_synced(*file, 5 << 20);
    const auto inode = inode_of(first);
    while (!files.new_log_pays()) std::this_thread::yield();
    ASSERT_TRUE(file_system.NewWritableFile(second, {}, &file, nullptr).ok());
    EXPECT_EQ(spares_in(directory_), 0u);
    // (The assignment above has closed it.)
    ASSERT_TRUE(file_system.DeleteFile(first, {}, nullptr).ok());
    EXPECT_FALSE(fs::exists(first));
    EXPECT_EQ(spares_in(directory_), 1u);
    write_synced(*file, 5 << 20);
    while (!files.new_log_pays()) std::this_thread::yield();
    ASSERT_TRUE(file_system.NewWritableFile(third, {}, &file, nullptr).ok());
    EXPECT_EQ(inode_of(third), inode);
    EXPECT_EQ(bytes_of(third).find_first_not_of('\0'), std::string::npos);
    EXPECT_GE(bytes_of(third).size(), 5u << 20);
}

TEST_F(LogFileSystem, ALogThatIsStillOpenIsNotUsedAgain) {
    LogFileOptions options;
    options.zeroed_bytes = 4 << 20;
    const LogFiles files = make_log_file_system(nullptr, directory_, options, log_);
    const std::string path = directory_ + "/000001.log";
    std::unique_ptr<rocksdb::FSWritableFile> file;
    ASSERT_TRUE(files.file_system->NewWritableFile(path, {}, &file, nullptr).ok());
    ASSERT_TRUE(files.file_system->DeleteFile(path, {}, nullptr).ok());
    while (spares_in(directory_) > 0) std::this_thread::yield();
}

TEST_F(LogFileSystem, KeepsNoMoreThanAFewOldLogsAndNoneWhenTheDiskIsScarce) {
    LogFileOptions options;
    options.zeroed_bytes = 4 << 20;
    const LogFiles files = make_log_file_system(nullptr, directory_, options, log_);
    std::unique_ptr<rocksdb::FSWritableFile> file;
    for (int number = 1; number <= 8; ++number) {
        const std::string path = directory_ + "/00000" + std::to_string(number) + ".log";
        ASSERT_TRUE(files.file_system->NewWritableFile(path, {}, &file, nullptr).ok());
        file.reset();
        ASSERT_TRUE(files.file_system->DeleteFile(path, {}, nullptr).ok());
    }
    while (spares_in(directory_) > 3) std::this_thread::yield();
    EXPECT_EQ(spares_in(directory_), 3u);
    files.allow_spares(false);
    while (spares_in(directory_) > 0) std::this_thread::yield();
    const std::string path = directory_ + "/000009.log";
    ASSERT_TRUE(files.file_system->NewWritableFile(path, {}, &file, nullptr).ok());
    write_synced(*file, 5 << 20);
    EXPECT_FALSE(files.new_log_pays());
    EXPECT_EQ(spares_in(directory_), 0u);
    files.allow_spares(true);
    while (!files.new_log_pays()) std::this_thread::yield();
}

TEST_F(LogFileSystem, LargeFilesAreOutOfTheWayAtOnceAndGoneLittleByLittle) {
    const LogFiles files = make_log_file_system(nullptr, directory_, {}, log_);
    const std::string large = directory_ + "/000007.blob";
    std::ofstream(large) << std::string(3 * SlowRemoval::kStepBytes, 'l');
    const std::string small = directory_ + "/000008.sst";
    std::ofstream(small) << "small";
    ASSERT_TRUE(files.file_system->DeleteFile(large, {}, nullptr).ok());
    EXPECT_FALSE(fs::exists(large));
    ASSERT_TRUE(files.file_system->DeleteFile(small, {}, nullptr).ok());
    EXPECT_FALSE(fs::exists(small));
    while (spares_in(directory_) > 0) std::this_thread::yield();
    EXPECT_FALSE(files.file_system->DeleteFile(large, {}, nullptr).ok()) << "it is not there";
}

TEST_F(LogFileSystem, AFileWithAnotherNameKeepsItsBytes) {
    LogFileOptions options;
    options.zeroed_bytes = 4 << 20;
    const LogFiles files = make_log_file_system(nullptr, directory_, options, log_);
    const std::string table = directory_ + "/000007.sst";
    std::ofstream(table) << std::string(3 * SlowRemoval::kStepBytes, 'l');
    const std::string log = directory_ + "/000001.log";
    std::unique_ptr<rocksdb::FSWritableFile> file;
    ASSERT_TRUE(files.file_system->NewWritableFile(log, {}, &file, nullptr).ok());
    write_synced(*file, 2 << 20);
    file.reset();
    for (const std::string& path : {table, log}) {
        fs::create_hard_link(path, path + "-backup");
        const std::string bytes = bytes_of(path);
        ASSERT_TRUE(files.file_system->DeleteFile(path, {}, nullptr).ok());
        EXPECT_EQ(spares_in(directory_), 0u);
        EXPECT_TRUE(bytes_of(path + "-backup") == bytes);
    }
}

TEST_F(LogFileSystem, AStopLeavesNothingHalfRemoved) {
    {
        const LogFiles files = make_log_file_system(nullptr, directory_, {}, log_);
        for (const char* name : {"/1.sst", "/2.sst", "/3.sst"}) {
            std::ofstream(directory_ + name) << std::string(3 * SlowRemoval::kStepBytes, 'l');
            ASSERT_TRUE(files.file_system->DeleteFile(directory_ + name, {}, nullptr).ok());
        }
    }
    EXPECT_TRUE(fs::is_empty(directory_));
}

TEST_F(LogFileSystem, TakesNoDiskForSpeedWhenItIsScarce) {
    std::ofstream(directory_ + "/zeroed-9.spare") << "left by a process that was killed";
    auto store = open(directory_, LogIo::posix);
    EXPECT_EQ(spares_in(directory_), 0u);
    store.reset();
    store = open(directory_, LogIo::uring, 16 << 20);
    const auto write = [&](MessageId id) {
        add(*store, id, std::string(700'000, 'x'));
        ASSERT_TRUE(store->commit());
    };
    store->allow_spares(false);
    // A spare would be made from the fourth one on, by a thread.
    for (MessageId id = 1; id <= 12; ++id) {
        write(id);
        EXPECT_EQ(spares_in(directory_), 0u);
    }
}

TEST_F(LogFileSystem, WorksWithoutDirectIoAndWithoutZeroedFiles) {
    LogFileOptions options;
    options.zeroed_bytes = 0;
    options.direct = false;
    auto file_system = make_log_file_system(nullptr, directory_, options, log_).file_system;
    std::unique_ptr<rocksdb::FSWritableFile> file;
    const std::string path = directory_ + "/000002.log";
    ASSERT_TRUE(file_system->NewWritableFile(path, {}, &file, nullptr).ok());
    ASSERT_TRUE(file->Append("hello", {}, nullptr).ok());
    ASSERT_TRUE(file->Sync({}, nullptr).ok());
    ASSERT_TRUE(file->Append(" world", {}, nullptr).ok());
    file.reset();
    file_system.reset();
    EXPECT_EQ(bytes_of(path), "hello world");
}

}  // namespace
}  // namespace posthaste::store
