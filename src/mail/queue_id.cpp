#include "mail/queue_id.h"

#include <array>

namespace posthaste {
namespace {

// Digits and consonants: no id spells a word. Base 51 leaves out the last one, the separator.
constexpr std::string_view kDigits = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
constexpr char kSeparator = 'z';
constexpr uint64_t kMicros = 1'000'000;
constexpr size_t kSecondsDigits = 6;
constexpr size_t kMicrosDigits = 4;
constexpr size_t kSeparatorAt = kSecondsDigits + kMicrosDigits;
constexpr uint64_t kCheckModulus = 2593;  // the largest prime below 51 * 51

static_assert(kDigits.size() == 52 && kDigits.back() == kSeparator);
static_assert(kQueueIdLength == kSeparatorAt + 3);
static_assert(kQueueIdLength <= 15, "fits the small buffer of std::string");
static_assert(kMessageIdMax / kMicros == 52ULL * 52 * 52 * 52 * 52 * 52 - 1);

constexpr std::array<uint8_t, 256> kValues = [] {
    std::array<uint8_t, 256> values{};
    values.fill(0xff);
    for (size_t i = 0; i < kDigits.size(); ++i) {
        values[static_cast<uint8_t>(kDigits[i])] = static_cast<uint8_t>(i);
    }
    return values;
}();

void put(char* out, size_t digits, uint64_t base, uint64_t value) noexcept {
    while (digits > 0) {
        out[--digits] = kDigits[value % base];
        value /= base;
    }
}

std::optional<uint64_t> get(std::string_view text, uint64_t base) noexcept {
    uint64_t value = 0;
    for (const char c : text) {
        const uint64_t digit = kValues[static_cast<uint8_t>(c)];
        if (digit >= base) return std::nullopt;
        value = value * base + digit;
    }
    return value;
}

}  // namespace

std::string queue_id_text(MessageId id) {
    std::string text(kQueueIdLength, '?');
    if (id > kMessageIdMax) return text;
    put(text.data(), kSecondsDigits, 52, id / kMicros);
    put(text.data() + kSecondsDigits, kMicrosDigits, 52, id % kMicros);
    text[kSeparatorAt] = kSeparator;
    put(text.data() + kSeparatorAt + 1, 2, 51, id % kCheckModulus);
    return text;
}

std::optional<MessageId> parse_queue_id(std::string_view text) noexcept {
    if (text.size() != kQueueIdLength || text[kSeparatorAt] != kSeparator) return std::nullopt;
    const auto seconds = get(text.substr(0, kSecondsDigits), 52);
    const auto micros = get(text.substr(kSecondsDigits, kMicrosDigits), 52);
    const auto check = get(text.substr(kSeparatorAt + 1), 51);
    if (!seconds || !micros || !check || *micros >= kMicros) return std::nullopt;
    const MessageId id = *seconds * kMicros + *micros;
    if (id == kNoMessage || id % kCheckModulus != *check) return std::nullopt;
    return id;
}

}  // namespace posthaste
