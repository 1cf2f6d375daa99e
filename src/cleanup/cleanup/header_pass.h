// cleanup/cleanup/header_pass.h: from the header section as it came to the one that goes on.
//
//   Received: …                      ours, first
//   X-Mailbox-Line: From …           a line of a mailbox file at the message's head: not a field, but no body either
//   the fields as they came          to the byte, but: message_drop_headers go, a field longer than header_size_limit
//                                    is cut at a line's end, blanks before the colon go, and addresses are completed
//                                    where rewriting applies
//   Message-Id: Date: From:          what is missing, for local clients or with always_add_missing_headers; the Resent-
//                                    ones when the message has been resent
//   (empty line)
//
// What follows is the body, from body_offset of the message as it came, and is never touched.
//
// Pure: no clock, no socket. One object per process, because it keeps its buffers from message to
// message; loop thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mail/envelope.h"
#include "mail/headers.h"

#include "cleanup/cleanup/policy.h"

namespace posthaste::cleanup {

// Of a whole header section. What lies beyond is body, behind an empty line.
inline constexpr size_t kHeaderSectionBytesMax = 1024 * 1024;
inline constexpr size_t kHeaderFieldsMax = 20'000;
// Lines of a mailbox file at the head; further ones are body.
inline constexpr size_t kMailboxLinesMax = 10;

class HeaderPass {
 public:
    struct Times {
        std::string_view date;  // rfc5322_date() of the arrival
    };

    struct Outcome {
        bool too_many_hops = false;  // then nothing else holds
        size_t body_offset = 0;      // into the message as it came
        uint32_t fields_cut = 0;
        bool rest_is_body = false;  // the header goes on beyond our bounds
        // As they go on, with their brackets. Valid until the next run.
        std::optional<std::string_view> message_id;
        std::optional<std::string_view> resent_message_id;
    };

    // `beginning` is a private copy of the message's first bytes: the whole header section, or
    // kHeaderSectionBytesMax, or (is_whole) all of it. `envelope` has been completed. Replaces
    // `out`, which is no longer than wire::kHeaderWrittenBytesMax: addresses that would make it
    // longer stay incomplete.
    Outcome run(const CleanupPolicy& policy, const Envelope& envelope, const Times& times,
                std::string_view beginning, bool is_whole, std::string& out);

 private:
    void append_received_field(const CleanupPolicy& policy, const Envelope& envelope,
                               const Times& times, std::string& out) const;
    void append_fields(const CleanupPolicy& policy, const AddressCompletion& completion,
                       std::string& out, uint32_t& fields_cut);
    void append_missing(const CleanupPolicy& policy, const Envelope& envelope, const Times& times,
                        bool resent, std::string& out);
    std::optional<std::string_view> value_of(Field wanted) const;

    HeaderSection section_;
    uint64_t seen_ = 0;    // one bit a Field
    std::string made_id_;  // the message id that was missing
    std::string field_;    // one that is not written as it came; kept for its memory
};

}  // namespace posthaste::cleanup
