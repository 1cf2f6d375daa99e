// base/result.h: Result<T>, the answer of everything the world may refuse (disk, network, kernel,
// foreign bytes). Members carry std::expected's names, so that a later switch is one alias.
//
// Three kinds of failure are kept apart: our own bug is an ASSERT; the world's failure is a Result;
// a protocol outcome (a 550, a deferral) is an ordinary value, never an Error.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "base/assert.h"

namespace posthaste {

// Who or what is to blame.
enum class Errc : uint8_t {
    os,         // the kernel said no; os_errno says why
    malformed,  // foreign bytes that do not parse
    too_large,  // foreign bytes beyond their bound
    not_found,
    corrupt,      // our own data on disk fails its checksum or format
    no_space,     // disk, arena or ring is full
    closed,       // the other side is gone
    misbehaved,   // a peer broke the rules of shared memory
    unsupported,  // kernel or library lacks it
    invalid_setting,
    timed_out,
};

const char* name_of(Errc code) noexcept;

// Small and without allocation. `where` is a string literal naming the step that failed.
struct Error {
    Errc code = Errc::os;
    int os_errno = 0;
    const char* where = "";

    // For logs: "open queue: No such file or directory".
    std::string text() const;
};

// The current errno as an Error.
Error os_error(const char* where) noexcept;

template <class T>
class [[nodiscard]] Result {
 public:
    Result(T value)
        : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: as std::expected

    Result(Error error) : state_(std::in_place_index<1>, error) {}  // NOLINT

    bool has_value() const noexcept { return state_.index() == 0; }

    explicit operator bool() const noexcept { return has_value(); }

    T& value() & {
        ASSERT(has_value());
        return *std::get_if<0>(&state_);
    }

    const T& value() const& {
        ASSERT(has_value());
        return *std::get_if<0>(&state_);
    }

    T&& value() && {
        ASSERT(has_value());
        return std::move(*std::get_if<0>(&state_));
    }

    T& operator*() & { return value(); }

    const T& operator*() const& { return value(); }

    T&& operator*() && { return std::move(*this).value(); }

    T* operator->() { return &value(); }

    const T* operator->() const { return &value(); }

    const Error& error() const {
        ASSERT(!has_value());
        return *std::get_if<1>(&state_);
    }

    template <class U>
    T value_or(U&& fallback) const& {
        return has_value() ? value() : static_cast<T>(std::forward<U>(fallback));
    }

 private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
    Result() = default;

    Result(Error error) : failed_(true), error_(error) {}  // NOLINT: as std::expected

    bool has_value() const noexcept { return !failed_; }

    explicit operator bool() const noexcept { return !failed_; }

    const Error& error() const {
        ASSERT(failed_);
        return error_;
    }

 private:
    bool failed_ = false;
    Error error_;
};

}  // namespace posthaste

#define POSTHASTE_CONCAT_(a, b) a##b
#define POSTHASTE_CONCAT(a, b) POSTHASTE_CONCAT_(a, b)

// ASSIGN_OR_RETURN(const auto fd, open_it()): the value, or this function returns the error.
#define ASSIGN_OR_RETURN(declaration, expression)                                                 \
    auto POSTHASTE_CONCAT(result_, __LINE__) = (expression);                                      \
    if (!POSTHASTE_CONCAT(result_, __LINE__)) return POSTHASTE_CONCAT(result_, __LINE__).error(); \
    declaration = std::move(*POSTHASTE_CONCAT(result_, __LINE__))

#define RETURN_IF_ERROR(expression)                               \
    do {                                                          \
        auto posthaste_result_ = (expression);                    \
        if (!posthaste_result_) return posthaste_result_.error(); \
    } while (false)
