// egress/smtp/job.h: one message on its way over one lane, with what has become of each recipient
// so far.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mail/delivery_status.h"
#include "mail/wire/delivery_job.h"

namespace posthaste::smtp {

// Owned by the lane that delivers it, from DeliveryJob to DeliveryReport; never moved: `wire` views
// `record`.
struct Job {
    std::string record;  // the private copy of the ring record
    wire::DeliveryJob wire;
    std::vector<std::string_view> content;  // the message's pieces, in the store's arena

    struct Recipient {
        bool settled = false;  // status says what became of it
        // … as far as is known: the conversation has not been in step since (client_session.h).
        bool doubtful = false;
        bool logged = false;  // and the log has said so
        DeliveryStatus status;
    };

    std::vector<Recipient> recipients;

    uint32_t first_host = 0;     // where the next session for this job begins
    uint32_t sessions = 0;       // how many servers have answered about it
    uint32_t returns = 0;        // how many connections broke before the server saw it
    int64_t begun_wall_us = 0;   // its lane turned to it
    uint32_t conn_use = 0;       // the how-manieth message of its connection
    bool connected_for = false;  // the connection was made for this job: delays= shows its cost
    bool hop_failed = false;     // the server, not the message, was to blame
    uint32_t arena = 0;          // the incarnation of the store whose arena holds the content

    bool all_settled() const noexcept {
        for (const Recipient& recipient : recipients) {
            if (!recipient.settled) return false;
        }
        return true;
    }
};

}  // namespace posthaste::smtp
