// cleanup/cleanup/lent_message.h: a message that lies in its sender's arena, as a list of extents:
// checking the list, copying the beginning out, and naming what is left from some byte on.
//
// The bytes may change while they are read (their owner maps them writable): every byte is copied
// once, and only the copy is looked at.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mail/wire/extent.h"
#include "runtime/peers.h"

namespace posthaste::cleanup {

// Every extent lies in the arena of `owner_incarnation` (nobody lends what is not his), is not
// empty, and is mapped here; together they are no longer than a message may be. The sum of their
// lengths, or nothing.
std::optional<uint64_t> lent_bytes(const Peers& peers, uint32_t owner_incarnation,
                                   const std::vector<wire::Extent>& content);

// Replaces `out` with the beginning of the message up to a little behind the first empty line, or
// all of it, or bytes_max. `content` has passed lent_bytes(). True: `out` is the whole message.
bool copy_header_section(const Peers& peers, const std::vector<wire::Extent>& content,
                         size_t bytes_max, std::string& out);

// Appends extents for all of the message from byte `offset` on.
void append_extents_from(const std::vector<wire::Extent>& content, uint64_t offset,
                         std::vector<wire::Extent>& out);

}  // namespace posthaste::cleanup
