// runtime/stderr_log.h: log lines on standard error, for the time before there is a loop, for
// commands and for tests.
#pragma once

#include <string>

#include "runtime/log.h"

namespace posthaste {

// "info", "warning", "error", "fatal", "panic", as Postfix's logs name them.
std::string_view name_of(wire::Severity severity) noexcept;

class StderrLog final : public Log {
 public:
    explicit StderrLog(std::string program) : program_(std::move(program)) {}

    // "postfix/master: warning: text"
    void line(wire::Severity severity, std::string_view text) override;

 private:
    std::string program_;
};

}  // namespace posthaste
