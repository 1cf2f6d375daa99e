// command/postconf_services.h: postconf -M, -F and -P: master.cf's lines, their columns, and the
// parameters that they set with -o. As it is written: also services that do not exist here.
#pragma once

#include "command/instance.h"
#include "command/postconf.h"

namespace posthaste {

// The exit status.
int postconf_services(const Instance& instance, const PostconfOptions& options);

}  // namespace posthaste
