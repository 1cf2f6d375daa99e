// ingress/smtpd/message_blocks.h: one message on its way into the arena: bytes are copied once,
// from the receive buffer into blocks that are taken as they are needed.
//
// What finds no block waits in private memory (`overflow`), bounded by what a session takes before
// it asks can_append(): a receive buffer, doubled at most by line ends.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mail/wire/extent.h"

#include "ingress/smtpd/message_memory.h"

namespace posthaste::smtpd {

class MessageBlocks {
 public:
    explicit MessageBlocks(MessageMemory& memory) : memory_(memory) {}

    ~MessageBlocks() { drop(); }

    MessageBlocks(const MessageBlocks&) = delete;
    MessageBlocks& operator=(const MessageBlocks&) = delete;

    void append(std::string_view bytes);
    // Tries to place the overflow. True: it is placed, and there is room for a byte more.
    bool has_room();
    // Tries too. True: all of the message is in blocks.
    bool is_placed();

    // Where the message lies, neighbouring blocks as one.
    void extents(std::vector<wire::Extent>& out) const;
    // The blocks become the caller's, who lends them on; `out` is replaced.
    void take(std::vector<uint32_t>& out);
    void drop();

 private:
    // Copies what finds room; returns how much did.
    size_t place(std::string_view bytes);

    MessageMemory& memory_;
    std::vector<uint32_t> blocks_;
    uint32_t used_in_last_ = kBlockBytes;  // of blocks_.back(); full when there is none
    std::string overflow_;
};

}  // namespace posthaste::smtpd
