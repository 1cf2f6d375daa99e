// lookup/texthash.h: "texthash:/path": a plain text file in postmap(1)'s input format, read as it
// is.
//
//   key value            logical lines (logical_lines.h); the value is the rest of the line
//   "a b"@c.test value   blanks inside quotes belong to the key, and so do the quotes
//
// A line without a value is an error, not a guess; a key given twice a warning.
#pragma once

#include <memory>

#include "lookup/memory_table.h"
#include "lookup/table.h"

namespace posthaste {

std::unique_ptr<Table> open_texthash(const std::string& path, OpenReport& report);

// The text itself: `path` is for messages only. False and report.error at the first faulty line.
bool parse_texthash(std::string_view text, std::string_view path, MemoryTable& table,
                    OpenReport& report);

}  // namespace posthaste
