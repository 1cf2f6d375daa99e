// A peer's segment as a hostile process may fill it, indices and records, changed again between our
// looks. We read what it lets us, send through it, sleep and wake: the channel ends broken or
// clean, never elsewhere, and never loops.
//
// Input: {choice, 8 bytes} steps that set an index or write a slot of the peer's segment; between
// them we act.
#include <cstring>
#include <string>

#include "runtime/channel.h"
#include "runtime/channel_layout.h"

#include "tests/fuzz/fuzz.h"

using namespace posthaste;

namespace {

constexpr uint32_t kRingBytes = 1024;

uint64_t take_number(std::string_view& input) {
    uint64_t number = 0;
    const size_t size = input.size() < sizeof(number) ? input.size() : sizeof(number);
    std::memcpy(&number, input.data(), size);
    input.remove_prefix(size);
    return number;
}

void act(Channel& ours) {
    Channel::Record record;
    size_t received = 0;
    while (ours.receive(record)) {
        ASSERT(record.type != kFillerType);
        ASSERT(record.body.size() <= kRingBytes / 2);
        // Each takes 8 bytes of the ring at least, and room is given back only below.
        ASSERT(++received <= kRingBytes / kRecordAlignment);
    }
    (void)ours.release();
    for (int i = 0; i < 4; ++i) (void)ours.send(7, std::string_view("a record of ours"));
    (void)ours.publish();
    (void)ours.room_came();
    (void)ours.all_consumed();
    if (ours.prepare_sleep()) ASSERT(!ours.broken());
    ours.wake();
    if (ours.broken()) {
        ASSERT(!ours.send(1, {}) && !ours.receive(record) && !ours.has_input() &&
               !ours.has_room(0));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view input = fuzz::text_of(data, size);
    // Emptied for each input instead of mapped anew.
    static const Segment kOwn = Segment::create_private(kRingBytes);
    static const Segment kForeign = Segment::create_private(kRingBytes);
    for (const Segment* segment : {&kOwn, &kForeign}) {
        for (auto* index : {&segment->header()->tail, &segment->header()->head,
                            &segment->header()->sleep_count, &segment->header()->wants_room}) {
            index->store(0);
        }
        std::memset(segment->slots(), 0, kRingBytes);
    }
    Channel ours(Segment::alias(kOwn), Segment::alias(kForeign));
    while (!input.empty()) {
        const uint8_t choice = fuzz::take_choice(input);
        const uint64_t number = take_number(input);
        switch (choice % 8) {
            case 0:
                kForeign.header()->tail.store(number % (2 * kRingBytes));
                break;
            case 1:
                kForeign.header()->head.store(number % (2 * kRingBytes));
                break;
            case 2:
                kForeign.header()->tail.store(number);
                break;
            case 3:
                kForeign.header()->sleep_count.store(number);
                break;
            case 4:
                kForeign.header()->wants_room.store(number);
                break;
            case 5:
                act(ours);
                break;
            default:
                std::memcpy(kForeign.slots() + choice / 8 * 32U, &number, sizeof(number));
                break;
        }
    }
    act(ours);
    return 0;
}
