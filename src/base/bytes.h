// base/bytes.h: reading and writing plain little-endian data, the encoding of every ring record,
// disk record and control message. The reader is bounded: foreign bytes make it fail, never
// overrun.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace posthaste {

static_assert(std::endian::native == std::endian::little,
              "formats are copied as they lie in memory");

// Appends to a string that the caller keeps and reuses.
class ByteWriter {
 public:
    explicit ByteWriter(std::string& out) noexcept : out_(out) {}

    template <class T>
    void number(T value) {
        static_assert(std::is_integral_v<T> || std::is_enum_v<T>);
        char raw[sizeof(T)];
        std::memcpy(raw, &value, sizeof(T));
        out_.append(raw, sizeof(T));
    }

    // {u32 length, bytes}
    void text(std::string_view bytes) {
        number(static_cast<uint32_t>(bytes.size()));
        out_.append(bytes);
    }

    void raw(std::string_view bytes) { out_.append(bytes); }

 private:
    std::string& out_;
};

// A cursor over bytes somebody else wrote. After the first failure everything reads as zero or
// empty and ok() is false for good: read a whole record, then ask once.
class ByteReader {
 public:
    explicit ByteReader(std::string_view bytes) noexcept : rest_(bytes) {}

    template <class T>
    T number() noexcept {
        static_assert(std::is_integral_v<T> || std::is_enum_v<T>);
        T value{};
        if (rest_.size() < sizeof(T)) {
            fail();
            return value;
        }
        std::memcpy(&value, rest_.data(), sizeof(T));
        rest_.remove_prefix(sizeof(T));
        return value;
    }

    // A view into the bytes given to the constructor.
    std::string_view text(size_t size_bytes_max) noexcept {
        const auto size_bytes = number<uint32_t>();
        if (size_bytes > size_bytes_max) {
            fail();
            return {};
        }
        return raw(size_bytes);
    }

    std::string_view raw(size_t size_bytes) noexcept {
        if (rest_.size() < size_bytes) {
            fail();
            return {};
        }
        const auto out = rest_.substr(0, size_bytes);
        rest_.remove_prefix(size_bytes);
        return out;
    }

    void fail() noexcept {
        ok_ = false;
        rest_ = {};
    }

    bool ok() const noexcept { return ok_; }

    // Everything was read and nothing is left over.
    bool complete() const noexcept { return ok_ && rest_.empty(); }

    std::string_view rest() const noexcept { return rest_; }

 private:
    std::string_view rest_;
    bool ok_ = true;
};

}  // namespace posthaste
