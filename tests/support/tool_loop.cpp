#include "tests/support/tool_loop.h"

#include <cstdio>
#include <cstdlib>
#include <sys/resource.h>

#include "runtime/uring_loop.h"

namespace posthaste::support {

std::unique_ptr<Loop> make_tool_loop() {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    UringOptions options;
    options.accept = options.connect = options.receive = options.send = true;
    auto loop = UringLoop::create(options);
    if (!loop) {
        std::fprintf(stderr, "cannot make an io_uring: %s\n%s\n", loop.error().text().c_str(),
                     uring_remedy(loop.error()).c_str());
        std::exit(1);
    }
    return std::move(*loop);
}

}  // namespace posthaste::support
