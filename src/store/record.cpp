#include "store/record.h"

#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bytes.h"

#include "mail/queue_state.h"

namespace posthaste::store {

namespace {

template <class T>
void put_big_endian(char* out, T value) noexcept {
    for (size_t i = 0; i < sizeof(T); ++i) {
        out[i] = static_cast<char>(value >> (8 * (sizeof(T) - 1 - i)));
    }
}

template <class T>
T get_big_endian(const char* in) noexcept {
    T value = 0;
    for (size_t i = 0; i < sizeof(T); ++i) {
        value = static_cast<T>((value << 8) | static_cast<unsigned char>(in[i]));
    }
    return value;
}

}  // namespace

Key<8> id_key(MessageId id) noexcept {
    Key<8> key;
    put_big_endian(key.bytes.data(), id);
    return key;
}

Key<12> reason_key(MessageId id, uint32_t recipient) noexcept {
    Key<12> key;
    put_big_endian(key.bytes.data(), id);
    put_big_endian(key.bytes.data() + kIdKeyBytes, recipient);
    return key;
}

Key<9> quarantine_key(MessageId id, char family) noexcept {
    Key<9> key;
    put_big_endian(key.bytes.data(), id);
    key.bytes[kIdKeyBytes] = family;
    return key;
}

std::optional<MessageId> id_of_key(std::string_view key) noexcept {
    if (key.size() < kIdKeyBytes) return std::nullopt;
    return get_big_endian<MessageId>(key.data());
}

std::optional<uint32_t> recipient_of_key(std::string_view key) noexcept {
    if (key.size() != kIdKeyBytes + sizeof(uint32_t)) return std::nullopt;
    return get_big_endian<uint32_t>(key.data() + kIdKeyBytes);
}

Key<8> seal_of(MessageId id, std::span<const std::string_view> payload) noexcept {
    XXH64_hash_t hash = 0;
    if (payload.size() == 1) {
        hash = XXH3_64bits_withSeed(payload[0].data(), payload[0].size(), id);
    } else {
        XXH3_state_t state;
        XXH3_INITSTATE(&state);
        XXH3_64bits_reset_withSeed(&state, id);
        for (const std::string_view piece : payload) {
            XXH3_64bits_update(&state, piece.data(), piece.size());
        }
        hash = XXH3_64bits_digest(&state);
    }
    Key<8> seal;
    std::memcpy(seal.bytes.data(), &hash, sizeof(hash));
    return seal;
}

std::optional<std::string_view> unseal(MessageId id, std::string_view value) noexcept {
    if (value.size() < kSealBytes) return std::nullopt;
    const std::string_view payload = value.substr(kSealBytes);
    const Key<8> seal = seal_of(id, {&payload, 1});
    if (seal.view() != value.substr(0, kSealBytes)) return std::nullopt;
    return payload;
}

void encode_reason(const Reason& reason, std::string& out) {
    out.clear();
    ByteWriter writer(out);
    writer.text(reason.dsn);
    writer.text(reason.text);
}

std::optional<Reason> decode_reason(std::string_view payload) noexcept {
    ByteReader reader(payload);
    Reason reason;
    reason.dsn = reader.text(16);
    reason.text = reader.text(kReasonBytesMax);
    if (!reader.complete()) return std::nullopt;
    return reason;
}

}  // namespace posthaste::store
