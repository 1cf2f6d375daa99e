// The bytes after DATA: two choices (policy, where to cut), then the stream. However it is cut the
// result is what the plain model of the rules says; what is stored is clean, and survives the way
// to the next server.
#include <string>

#include "mail/data_scanner.h"
#include "mail/data_scanner_model.h"

#include "tests/fuzz/fuzz.h"

using namespace posthaste;

namespace {

// CR and LF only as CRLF. A message still being read may end anywhere but inside one.
void check_clean(std::string_view stored) {
    for (size_t i = 0; i < stored.size(); ++i) {
        if (stored[i] == '\n') ASSERT(i > 0 && stored[i - 1] == '\r');
        if (stored[i] == '\r') ASSERT(i + 1 < stored.size() && stored[i + 1] == '\n');
    }
}

std::string normalized(const std::vector<std::string_view>& pieces) {
    BodyNormalizer lines;
    data_model::Collector sink;
    for (const std::string_view piece : pieces) lines.consume(piece, sink);
    lines.finish(sink);
    return sink.bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view bytes = fuzz::text_of(data, size);
    const auto policy = static_cast<BareNewline>(fuzz::take_choice(bytes) & 3);
    const uint8_t seed = fuzz::take_choice(bytes);
    const auto pieces = fuzz::cut(bytes, seed);

    const data_model::Outcome expected = data_model::model(policy, bytes, true);
    ASSERT(data_model::scan(policy, bytes) == expected);
    ASSERT(data_model::scan(policy, pieces) == expected);
    check_clean(expected.stored);

    const std::string body = normalized({bytes});
    ASSERT(normalized(pieces) == body);
    check_clean(body);
    ASSERT(body.empty() || body.ends_with("\r\n"));

    DotStuffer stuffer;
    std::string sent;
    for (const std::string_view piece : fuzz::cut(body, seed)) {
        stuffer.feed(piece, [&](std::string_view more) { sent += more; });
    }
    sent += stuffer.end();
    const data_model::Outcome received = data_model::scan(BareNewline::reject, sent);
    ASSERT(received.done && received.consumed == sent.size() && received.stored == body);
    ASSERT(!received.bare_lf && !received.bare_cr);
    return 0;
}
