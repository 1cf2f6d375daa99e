// scheduler/log_lines.h: qmgr's log lines, as Postfix writes them. Each replaces `out`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mail/delivery_status.h"

#include "scheduler/destination.h"
#include "scheduler/message.h"

namespace posthaste::log_lines {

// "QID: from=<s>, size=N, nrcpt=M (queue active)"
void active(const Message& message, std::string& out);
// "QID: removed"
void removed(MessageId id, std::string& out);
// "QID: from=<s>, status=expired, …": what Postfix returns to the sender is held here until reports
// exist.
void held(const Message& message, std::string_view status, std::string& out);
// A recipient that no agent was asked about: "QID: to=<r>, relay=none, delay=…, delays=a/b/0/0,
// dsn=…, status=… (text)"
void recipient(const Message& message, uint32_t number, Outcome outcome, std::string_view dsn,
               std::string_view text, int64_t wall_us, std::string& out);
// Instead of a line for each of its messages. "site y.example (smtp) is dead: REASON; recipients
// waiting: N, next attempt in Ss", "… is still dead: …" for each attempt that fails, and "… is alive
// again; recipients waiting: N".
void site_dead(std::string_view transport, const Destination& site, uint32_t waiting,
               int64_t wait_us, std::string& out);
void site_alive(std::string_view transport, const Destination& site, std::string& out);

}  // namespace posthaste::log_lines
