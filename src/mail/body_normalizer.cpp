#include "mail/body_normalizer.h"

#include <algorithm>
#include <cstring>

namespace posthaste {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kBlank = " ";

// The first `wanted` in [at, end), or end.
const char* find(const char* at, const char* end, char wanted) noexcept {
    if (at == end) return end;
    const void* found = std::memchr(at, wanted, static_cast<size_t>(end - at));
    return found == nullptr ? end : static_cast<const char*>(found);
}

void put(const char* begin, const char* end, ByteSink& sink) {
    if (begin < end) sink.append({begin, static_cast<size_t>(end - begin)});
}

}  // namespace

void BodyNormalizer::add_to_line(size_t bytes) noexcept {
    line_bytes_ += static_cast<uint32_t>(std::min<size_t>(bytes, UINT32_MAX - line_bytes_));
}

void BodyNormalizer::end_line(bool with_crlf) noexcept {
    line_bytes_max_ = std::max(line_bytes_max_, line_bytes_);
    line_bytes_ = 0;
    at_line_start_ = true;
    after_crlf_ = with_crlf;
}

void BodyNormalizer::put_blanks(uint32_t count, ByteSink& sink) {
    saw_bare_cr_ = true;
    add_to_line(count);
    crs_waiting_ -= count;
    for (; count > 0; --count) sink.append(kBlank);
}

// CRs, and the LF behind them if there is one.
const char* BodyNormalizer::take_returns(const char* at, const char* end, ByteSink& sink) {
    for (; at < end && *at == '\r'; ++at) {
        if (++crs_waiting_ == kReturnsWaitingMax) put_blanks(crs_waiting_ - 1, sink);
    }
    if (at == end) return at;
    if (*at != '\n') {
        put_blanks(crs_waiting_, sink);
        return at;
    }
    saw_bare_cr_ |= crs_waiting_ > 1;
    crs_waiting_ = 0;
    sink.append(kLineEnd);
    end_line(true);
    return at + 1;
}

template <bool StopAtDots>
size_t BodyNormalizer::take(std::string_view bytes, ByteSink& sink) {
    const char* const begin = bytes.data();
    const char* const end = begin + bytes.size();
    const char* at = begin;
    const char* run = begin;  // [run, at) is good as it is and waits to be given away
    const char* newline =
        nullptr;  // the next LF from `at` on, or end. Kept, so that many CRs in one line
                  // do not each search the whole line; null = not searched yet
    if (crs_waiting_ > 0) run = at = take_returns(at, end, sink);
    while (at < end) {
        if (StopAtDots && at_line_start_ && *at == '.') break;
        at_line_start_ = false;
        if (newline == nullptr) newline = find(at, end, '\n');
        const char* const cr = find(at, newline, '\r');
        add_to_line(static_cast<size_t>(cr - at));
        at = cr;
        if (cr == newline) {  // no CR before the line's end
            if (newline == end) break;
            put(run, at, sink);
            sink.append(kLineEnd);
            saw_bare_lf_ = true;
            run = ++at;
            newline = nullptr;
            end_line(false);
        } else if (cr + 1 == newline && newline < end) {
            at = newline + 1;
            newline = nullptr;
            end_line(true);
        } else {
            put(run, at, sink);
            run = at = take_returns(at, end, sink);
            if (at > newline) newline = nullptr;
        }
    }
    put(run, at, sink);
    return static_cast<size_t>(at - begin);
}

template size_t BodyNormalizer::take<true>(std::string_view bytes, ByteSink& sink);
template size_t BodyNormalizer::take<false>(std::string_view bytes, ByteSink& sink);

void BodyNormalizer::consume(std::string_view bytes, ByteSink& sink) { take<false>(bytes, sink); }

void BodyNormalizer::finish(ByteSink& sink) {
    if (crs_waiting_ > 0) put_blanks(crs_waiting_, sink);
    if (!at_line_start_) {
        sink.append(kLineEnd);
        end_line(true);
    }
}

}  // namespace posthaste
