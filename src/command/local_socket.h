// command/local_socket.h: asks a service over its public socket: one line to it, lines back until
// it closes.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "base/units.h"

namespace posthaste {

class LocalSocket {
 public:
    // Connects and sends the question. The answer may take patience_us to come, or to go on.
    static Result<LocalSocket> ask(const std::string& path, std::string_view question,
                                   int64_t patience_us = 60 * kSecondUs);

    // Each line without its end, until the other side closes; nothing is kept of earlier ones.
    // `each` returns false to stop early.
    Result<void> read_lines(const std::function<bool(std::string_view line)>& each);
    // The whole answer; bounded.
    Result<std::string> read_all();

 private:
    explicit LocalSocket(Fd fd) : fd_(std::move(fd)) {}

    Result<size_t> read_more();

    Fd fd_;
    std::string buffer_;
};

}  // namespace posthaste
