// base/codec.h: how wire records (mail/wire/, runtime/log_line.h) become bytes and back.
//
// A record is a struct with kType (its number on its hop) and visit(codec), which names every field
// once; encoding and decoding both come from that one list, so they cannot disagree. Decoded texts
// are views into the given bytes (the receiver's private copy of the record), valid only while the
// record is handled. Decoding trusts nothing: every text and list has a bound, numbers are taken as
// they are and must be checked by whoever uses them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace posthaste::wire {

class Encoder {
 public:
    explicit Encoder(std::string& out) : writer_(out) {}

    template <class T>
    void operator()(const T& value) {
        if constexpr (std::is_same_v<T, bool>) {
            writer_.number(static_cast<uint8_t>(value));
        } else if constexpr (std::is_class_v<T>) {
            const_cast<T&>(value).visit(*this);
        } else {
            writer_.number(value);
        }
    }

    void text(const std::string_view& value, size_t) { writer_.text(value); }

    template <class T>
    void list(const std::vector<T>& values, size_t) {
        writer_.number(static_cast<uint32_t>(values.size()));
        for (const T& value : values) (*this)(value);
    }

 private:
    ByteWriter writer_;
};

class Decoder {
 public:
    explicit Decoder(std::string_view bytes) : reader_(bytes) {}

    template <class T>
    void operator()(T& value) {
        if constexpr (std::is_same_v<T, bool>) {
            value = reader_.number<uint8_t>() != 0;
        } else if constexpr (std::is_class_v<T>) {
            value.visit(*this);
        } else {
            value = reader_.number<T>();
        }
    }

    void text(std::string_view& value, size_t bytes_max) { value = reader_.text(bytes_max); }

    template <class T>
    void list(std::vector<T>& values, size_t count_max) {
        const auto count = reader_.number<uint32_t>();
        values.clear();
        // Each element takes at least one byte: a count beyond the bytes left is a lie, not an
        // allocation.
        if (count > count_max || count > reader_.rest().size()) return reader_.fail();
        values.resize(count);
        for (T& value : values) {
            (*this)(value);
            if (!reader_.ok()) return;
        }
    }

    bool complete() const { return reader_.complete(); }

 private:
    ByteReader reader_;
};

// Replaces `out`. Keep one string per hop and reuse it.
template <class Record>
void encode(const Record& record, std::string& out) {
    out.clear();
    Encoder encoder(out);
    encoder(record);
}

// Leaves nothing unread, or it is malformed. Reuse `out` to keep the vectors' memory.
template <class Record>
[[nodiscard]] bool decode(std::string_view bytes, Record& out) {
    Decoder decoder(bytes);
    decoder(out);
    return decoder.complete();
}

}  // namespace posthaste::wire
