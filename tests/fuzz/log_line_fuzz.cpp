// A log record as any process may have written it, or a datagram in postlogd's socket. Whatever it
// holds, one printable line of bounded length comes of it, and of our own lines what was said.
#include <string>

#include "base/codec.h"

#include "runtime/ring_log.h"

#include "master/postlogd/log_text.h"
#include "tests/fuzz/fuzz.h"

using namespace posthaste;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static LogText text("mx.example.com");
    const std::string_view bytes = fuzz::text_of(data, size);
    std::string clean;
    make_printable(bytes, 100, clean);
    ASSERT(!fuzz::has_control(clean) && clean.size() <= 100);
    make_printable(bytes, size, clean);
    ASSERT(clean.size() <= size);
    std::string again;
    make_printable(clean, clean.size(), again);
    ASSERT(again == clean);

    wire::LogLine line;
    if (!wire::decode(bytes, line)) return 0;
    std::string out = "what was there before\n";
    const size_t before = out.size();
    text.append(line, out);
    const std::string_view written = std::string_view(out).substr(before);
    ASSERT(written.find('\n') == written.size() - 1);
    ASSERT(!fuzz::has_control(written.substr(0, written.size() - 1)));
    ASSERT(written.size() <= line.program.size() + line.text.size() + 60);
    ASSERT(written.substr(15, 4) == " mx ");
    std::string datagram;
    text.append_for_syslog(line, datagram);
    ASSERT(datagram.starts_with("<") && !fuzz::has_control(datagram));
    ASSERT(datagram.size() <= line.program.size() + line.text.size() + 60);
    return 0;
}
