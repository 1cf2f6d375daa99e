// store/record.h: how keys and values of the queue look on disk.
//
// Keys: id, 8 bytes big-endian, so that iteration is the order of arrival;
//       reason: id, then the recipient's number, 4 bytes big-endian;
//       quarantine: id, then one byte that says which column family the value came from.
//
// Every value is sealed, so that damage is found when it is read, and a value under a wrong key
// too:
//
//   offset size field
//        0    8 XXH3-64 of the payload, seeded with the message id (little-endian)
//        8    - payload
//
// Payloads: content = the message's bytes; envelope, state = mail/'s encodings, which carry their
// own version; reason = {u32 length, dsn}, {u32 length, text}.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "mail/queue_id.h"

namespace posthaste::store {

inline constexpr size_t kIdKeyBytes = 8;
inline constexpr size_t kSealBytes = 8;

// A key of fixed size on the stack.
template <size_t Size>
struct Key {
    std::array<char, Size> bytes{};

    std::string_view view() const noexcept { return {bytes.data(), Size}; }
};

Key<8> id_key(MessageId id) noexcept;
Key<12> reason_key(MessageId id, uint32_t recipient) noexcept;
Key<9> quarantine_key(MessageId id, char family) noexcept;
// The id a key begins with; nothing when it is too short.
std::optional<MessageId> id_of_key(std::string_view key) noexcept;
// Of a reason key.
std::optional<uint32_t> recipient_of_key(std::string_view key) noexcept;

// The seal of a payload that lies in pieces.
Key<8> seal_of(MessageId id, std::span<const std::string_view> payload) noexcept;
// The payload within a sealed value, nothing when the seal does not fit.
std::optional<std::string_view> unseal(MessageId id, std::string_view value) noexcept;

struct Reason {
    std::string_view dsn;
    std::string_view text;
};

void encode_reason(const Reason& reason, std::string& out);
std::optional<Reason> decode_reason(std::string_view payload) noexcept;

}  // namespace posthaste::store
