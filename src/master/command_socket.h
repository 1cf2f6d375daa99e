// master/command_socket.h: private/master, where root's commands ask what runs. One question a
// connection, one line:
//   "status\n"  →  a JSON object: version, configuration, pid, seconds, and the processes with their counters
#pragma once

#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace posthaste {

Result<Fd> open_command_socket(const std::string& path);

// Accepts one connection and reads its question within a moment. Empty: none, or nonsense.
struct Question {
    Fd connection;
    std::string text;
};

Question accept_question(int listener);
void answer(const Question& question, std::string_view text);

}  // namespace posthaste
