// runtime/settings/postfix_names.h: parameters that Postfix has and Posthaste does not obey (yet),
// so that a remark on one of them need not sound as if it were mistyped. A row that comes into the
// table is taken out here (parameters_test.cpp).
#pragma once

#include <string_view>

namespace posthaste {

bool is_postfix_only(std::string_view name) noexcept;

}  // namespace posthaste
