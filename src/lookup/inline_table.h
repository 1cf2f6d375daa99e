// lookup/inline_table.h: "inline:{ key=value, {key = value with blanks} }": a table written into
// main.cf itself.
#pragma once

#include <memory>

#include "lookup/table.h"

namespace posthaste {

// `text` is what follows "inline:", braces included.
std::unique_ptr<Table> open_inline(std::string_view text, OpenReport& report);

}  // namespace posthaste
