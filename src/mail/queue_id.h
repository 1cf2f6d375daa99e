// mail/queue_id.h: a message's name for its whole life.
//
// Inside, 64 bits that are never used twice: the store leases them in blocks and starts each block
// no lower than the current microsecond, so an id also says when (about) it was given out. Outside,
// text in Postfix's long form, which tools that know Postfix decode the same way:
//
//   4Zq8xW 3kXc z 7h        seconds (6 digits, base 52) · microseconds (4, base 52) · 'z' · 2 check digits
//                           (base 51) in the place of Postfix's inode number: a mistyped id is no id
//
// The check value is the id modulo a prime: it finds every single wrong character and every swapped
// pair of neighbours.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace posthaste {

using MessageId = uint64_t;
inline constexpr MessageId kNoMessage = 0;
inline constexpr size_t kQueueIdLength = 13;
// The largest id whose seconds fit six digits: the year 2596.
inline constexpr MessageId kMessageIdMax = 19'770'609'664ULL * 1'000'000 - 1;

// Always kQueueIdLength characters, never allocated on the heap. id / 1'000'000 are the seconds,
// the rest microseconds. An id beyond kMessageIdMax, which only a broken peer can name, reads
// "?????????????".
std::string queue_id_text(MessageId id);

std::optional<MessageId> parse_queue_id(std::string_view text) noexcept;

}  // namespace posthaste
