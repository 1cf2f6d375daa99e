// A queue log as a crash, a power cut or a failing disk may leave it: choices (what happens to it;
// where), then {u16} for each batch's size. What was acknowledged is never cut off: a torn last
// batch goes, everything before it stays, and a changed byte is called damage. Or (last choice) any
// bytes at all.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "store/crc32c.h"
#include "store/log_repair.h"

#include "tests/fuzz/fuzz.h"

using namespace posthaste;

namespace {

constexpr size_t kBlockBytes = 32 * 1024;
constexpr size_t kHeaderBytes = 7;
constexpr size_t kSectorBytes = 512;
constexpr size_t kLogBytesMax = 4 * kBlockBytes;

// As RocksDB writes it.
void append_batch(std::string_view payload, std::string& log) {
    for (bool first = true; first || !payload.empty(); first = false) {
        const size_t left = kBlockBytes - log.size() % kBlockBytes;
        if (left < kHeaderBytes) log.append(left, '\0');
        const size_t room = kBlockBytes - log.size() % kBlockBytes - kHeaderBytes;
        const std::string_view part = payload.substr(0, room);
        payload.remove_prefix(part.size());
        const bool last = payload.empty();
        std::string summed(1, static_cast<char>(first ? (last ? 1 : 2) : (last ? 4 : 3)));
        summed += part;
        const uint32_t crc = store::masked_crc32c(store::crc32c(0, summed.data(), summed.size()));
        const auto length = static_cast<uint16_t>(part.size());
        log.append(reinterpret_cast<const char*>(&crc), sizeof(crc));
        log.append(reinterpret_cast<const char*>(&length), sizeof(length));
        log += summed;
        if (last) break;
    }
}

uint32_t take_number(std::string_view& input) {
    const uint32_t high = fuzz::take_choice(input);
    return high << 8 | fuzz::take_choice(input);
}

store::LogEnd checked_end(std::string_view log) {
    const store::LogEnd end = store::find_log_end(log);
    ASSERT(end.good_bytes <= log.size());
    // What is kept is whole.
    const store::LogEnd kept = store::find_log_end(log.substr(0, end.good_bytes));
    ASSERT(kept.good_bytes == end.good_bytes && !kept.torn && !kept.damaged);
    return end;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view input = fuzz::text_of(data, size);
    const uint8_t what = fuzz::take_choice(input) % 5;
    if (what == 4) {
        checked_end(input);
        return 0;
    }
    uint32_t where = take_number(input) << 16;
    where |= take_number(input);

    std::string log;
    std::string before;  // without the last batch
    do {
        const uint32_t number = take_number(input);
        // The smallest batch is a header of 12 bytes.
        const size_t batch_bytes =
            12 + ((number & 0x8000) != 0 ? (number & 0x7fff) * 2 : number & 0x3ff);
        if (log.size() + batch_bytes > kLogBytesMax) break;
        before = log;
        std::string payload(batch_bytes, 'p');
        // Of the batch's own, so that no two are alike.
        const std::string_view mark = input.substr(0, std::min<size_t>(input.size(), 8));
        for (size_t i = 0; i < payload.size(); i += 100)
            payload[i] = static_cast<char>(1 + (i / 100 + mark.size() + number) % 255);
        append_batch(payload, log);
    } while (!input.empty());
    const std::string whole = log;
    const size_t zeros = where % 5 * 700;

    switch (what) {
        case 0: {  // all is well; the file's end is zeros, or has been cut off
            log.append(zeros, '\0');
            const auto end = checked_end(log);
            ASSERT(end.good_bytes == whole.size() && !end.torn && !end.damaged);
            break;
        }
        case 1: {  // some sectors of the last batch were written, others were not
            log.append(zeros, '\0');
            std::string old = before;
            old.resize(log.size(), '\0');
            uint32_t random = where;
            for (size_t at = before.size() / kSectorBytes * kSectorBytes; at < log.size();
                 at += kSectorBytes) {
                random = random * 1'664'525U + 1'013'904'223U;
                if (random >> 31 == 0) log.replace(at, kSectorBytes, old, at, kSectorBytes);
            }
            const auto end = checked_end(log);
            ASSERT(!end.damaged);
            ASSERT(end.good_bytes == whole.size() || end.good_bytes == before.size());
            ASSERT(end.torn || end.good_bytes == whole.size() || log == old ||
                   log[before.size()] == 0);
            break;
        }
        case 2: {  // the file was not made longer before the last batch was there
            const size_t written = whole.size() - before.size();
            log.resize(before.size() + where % (written + 1));
            const auto end = checked_end(log);
            ASSERT(!end.damaged);
            ASSERT(end.good_bytes == (log == whole ? whole.size() : before.size()));
            break;
        }
        default: {  // one byte has changed
            log.append(zeros, '\0');
            const size_t at = where / 256 % whole.size();
            log[at] = static_cast<char>(log[at] ^ (where % 255 + 1));
            const auto end = checked_end(log);
            // Nobody reads the few bytes that a block has left over.
            const bool unread = at % kBlockBytes > kBlockBytes - kHeaderBytes && whole[at] == 0;
            ASSERT(end.damaged || (unread && end.good_bytes == whole.size()));
            break;
        }
    }
    return 0;
}
