// tests/fuzz/record.h: what must hold for every record of base/codec.h, whatever bytes it is read
// from.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/codec.h"

#include "tests/fuzz/fuzz.h"

namespace posthaste::fuzz {

// Visits a decoded record as encoder and decoder do, and holds each text and list against its
// bound.
class BoundsCheck {
 public:
    explicit BoundsCheck(std::string_view bytes) : bytes_(bytes) {}

    template <class T>
    void operator()(T& value) {
        if constexpr (std::is_class_v<T>) value.visit(*this);
    }

    void text(std::string_view& value, size_t bytes_max) {
        ASSERT(value.size() <= bytes_max && is_inside(value, bytes_));
    }

    template <class T>
    void list(std::vector<T>& values, size_t count_max) {
        ASSERT(values.size() <= count_max && values.size() <= bytes_.size());
        for (T& value : values) (*this)(value);
    }

 private:
    std::string_view bytes_;
};

// True: it was a record.
template <class Record>
bool is_sound_record(std::string_view bytes) {
    // One that held something else before, as services keep them.
    static Record used;
    const bool used_accepted = wire::decode(bytes, used);
    Record fresh;
    ASSERT(wire::decode(bytes, fresh) == used_accepted);
    if (!used_accepted) return false;
    BoundsCheck check(bytes);
    check(fresh);

    // Written again it is as long (a bool may be written in other words), and from then on the
    // same for ever.
    std::string first;
    wire::encode(fresh, first);
    ASSERT(first.size() == bytes.size());
    std::string second;
    wire::encode(used, second);
    ASSERT(second == first);
    Record again;
    ASSERT(wire::decode(first, again));
    wire::encode(again, second);
    ASSERT(second == first);

    // Neither less nor more of it is a record. Long ones are cut at a few places only.
    const size_t step = bytes.size() / 64 + 1;
    for (size_t at = 0; at < bytes.size(); at += step)
        ASSERT(!wire::decode(bytes.substr(0, at), again));
    ASSERT(!wire::decode(first + "x", again));
    return true;
}

template <class Record>
void check_record(std::string_view bytes) {
    (void)is_sound_record<Record>(bytes);
}

}  // namespace posthaste::fuzz
