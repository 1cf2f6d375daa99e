#include "command/queue_commands.h"

#include <cstdio>
#include <sysexits.h>

#include "mail/queue_id.h"

#include "command/listing_text.h"
#include "command/local_socket.h"

namespace posthaste {

namespace {

int unavailable(const Instance& instance, const char* what, const Error& error) {
    if (instance.running()) {
        std::fprintf(stderr, "postqueue: fatal: %s: %s\n", what, error.text().c_str());
    } else {
        std::fprintf(stderr, "postqueue: fatal: %s - mail system is down\n", what);
    }
    return EX_UNAVAILABLE;
}

}  // namespace

int list_queue(const Instance& instance, bool as_json) {
    constexpr const char* kUnavailable = "Queue report unavailable";
    auto answer = LocalSocket::ask(instance.socket_path("public/showq"), "list\n");
    if (!answer) return unavailable(instance, kUnavailable, answer.error());
    ListingText listing;
    std::string out;
    std::string refusal;
    const auto read = answer->read_lines([&](std::string_view line) {
        out.clear();
        if (line.starts_with("error:")) return refusal = line, false;
        if (as_json) {
            out.append(line).append("\n");
        } else {
            listing.append(line, out);
        }
        // Whoever reads us may have gone (a pager): no reason to list on.
        return std::fwrite(out.data(), 1, out.size(), stdout) == out.size();
    });
    if (!read) return unavailable(instance, kUnavailable, read.error());
    if (!refusal.empty()) {
        std::fprintf(stderr, "postqueue: fatal: %s: %s\n", kUnavailable, refusal.c_str());
        return EX_UNAVAILABLE;
    }
    if (!as_json) {
        out.clear();
        listing.finish(out);
        std::fwrite(out.data(), 1, out.size(), stdout);
    }
    return EX_OK;
}

int flush_queue(const Instance& instance, const std::string& queue_id) {
    if (!queue_id.empty() && !parse_queue_id(queue_id)) {
        std::fprintf(stderr, "postqueue: fatal: \"%s\" is no queue id\n", queue_id.c_str());
        return EX_USAGE;
    }
    auto answer = LocalSocket::ask(instance.socket_path("public/qmgr"),
                                   queue_id.empty() ? "flush\n" : "flush " + queue_id + "\n");
    if (!answer) return unavailable(instance, "Cannot flush mail queue", answer.error());
    std::string reply;
    const auto read =
        answer->read_lines([&](std::string_view line) { return reply = line, false; });
    if (!read) return unavailable(instance, "Cannot flush mail queue", read.error());
    if (reply == "ok") return EX_OK;
    std::fprintf(stderr, "postqueue: fatal: %s: %s\n",
                 queue_id.empty() ? "flush" : queue_id.c_str(),
                 reply == "unknown" ? "no such message in the queue"
                 : reply.empty()    ? "no answer"
                                    : reply.c_str());
    return EX_UNAVAILABLE;
}

}  // namespace posthaste
