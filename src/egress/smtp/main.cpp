#include <memory>

#include "egress/smtp/smtp_service.h"
#include "runtime/service_main.h"

int main() {
    return posthaste::run_service(posthaste::Role::smtp, [](posthaste::World& world) {
        return std::make_unique<posthaste::smtp::SmtpService>(world);
    });
}
