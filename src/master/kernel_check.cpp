#include "master/kernel_check.h"

#include "runtime/uring_loop.h"

namespace posthaste {

void check_kernel(Diagnostics& diagnostics) {
    UringOptions options;
    options.entries = 8;
    options.receive_buffers = 2;
    options.accept = options.connect = options.receive = options.send = options.files = true;
    const auto loop = UringLoop::create(options);
    if (!loop)
        diagnostics.error({}, "the kernel refuses io_uring: " + loop.error().text() + "; " +
                                  uring_remedy(loop.error()));
}

}  // namespace posthaste
