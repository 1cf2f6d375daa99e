// runtime/settings/parameters.h: the rows of the parameter table by area; parameters.cpp puts them
// together.
//
// To add a parameter, add its row to the file of its area: order within a file is for the reader,
// the table is sorted when it is put together. A row for a setting that nothing obeys is a lie:
// rows come with the code that reads them.
#pragma once

#include <limits>
#include <span>

#include "runtime/settings/settings.h"

namespace posthaste::parameters {

inline constexpr int64_t kIntMax = std::numeric_limits<int32_t>::max();
inline constexpr int64_t kSizeMax = int64_t{1} << 50;
inline constexpr int64_t kDayS = 86400;

std::span<const ParameterRow> general();
std::span<const ParameterRow> smtpd();
std::span<const ParameterRow> cleanup();
std::span<const ParameterRow> rewrite();
std::span<const ParameterRow> queue();
std::span<const ParameterRow> smtp();
std::span<const ParameterRow> ours();

}  // namespace posthaste::parameters
