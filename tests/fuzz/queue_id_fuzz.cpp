// A queue id as an operator, a log or a file name may spell it. Each id has one spelling, and no
// spelling with one character wrong or two exchanged is an id.
#include <cstring>
#include <string>
#include <utility>

#include "mail/queue_id.h"

#include "tests/fuzz/fuzz.h"

using namespace posthaste;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view text = fuzz::text_of(data, size);
    const uint8_t choice = fuzz::take_choice(text);
    const auto parsed = parse_queue_id(text);
    if (parsed) {
        ASSERT(*parsed != kNoMessage && *parsed <= kMessageIdMax);
        ASSERT(queue_id_text(*parsed) == text);
    }

    MessageId id = kNoMessage;
    std::memcpy(&id, text.data(), std::min(text.size(), sizeof(id)));
    std::string spelled = queue_id_text(id);
    ASSERT(spelled.size() == kQueueIdLength);
    if (id == kNoMessage || id > kMessageIdMax) {
        ASSERT(!parse_queue_id(spelled));
        return 0;
    }
    ASSERT(parse_queue_id(spelled) == id);
    const size_t at = choice % kQueueIdLength;
    if (text.size() > sizeof(id) && text[sizeof(id)] != spelled[at]) {
        const char right = std::exchange(spelled[at], text[sizeof(id)]);
        ASSERT(!parse_queue_id(spelled));
        spelled[at] = right;
    }
    if (at + 1 < kQueueIdLength && spelled[at] != spelled[at + 1]) {
        std::swap(spelled[at], spelled[at + 1]);
        ASSERT(!parse_queue_id(spelled));
    }
    return 0;
}
