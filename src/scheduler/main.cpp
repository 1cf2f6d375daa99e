// qmgr: decides when and where each message goes. The checklist of its life is in
// runtime/service_main.h.
#include <memory>

#include "runtime/service_main.h"

#include "scheduler/qmgr_service.h"

int main() {
    return posthaste::run_service(posthaste::Role::qmgr, [](posthaste::World& world) {
        return std::make_unique<posthaste::QmgrService>(world);
    });
}
