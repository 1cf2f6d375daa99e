// A queue state from the disk or another process.
#include <string>

#include "mail/queue_state.h"

#include "tests/fuzz/fuzz.h"

using namespace posthaste;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view bytes = fuzz::text_of(data, size);
    const auto summary = summarize_queue_state(bytes);
    const auto state = decode_queue_state(bytes);
    if (!state) return 0;
    // A scan that reads only the summary must not see another queue or time than who reads it all.
    ASSERT(summary && summary->queue == state->queue && summary->due_s == state->due_s());
    std::string again;
    encode_queue_state(*state, again);
    ASSERT(again == bytes);
    return 0;
}
