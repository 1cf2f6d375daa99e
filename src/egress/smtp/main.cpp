#include <memory>

#include "runtime/service_main.h"

#include "egress/smtp/smtp_service.h"

int main() {
    return posthaste::run_service(posthaste::Role::smtp, [](posthaste::World& world) {
        return std::make_unique<posthaste::smtp::SmtpService>(world);
    });
}
