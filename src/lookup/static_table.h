// lookup/static_table.h: "static:value": the same answer to every question.
#pragma once

#include <string>

#include "lookup/table.h"

namespace posthaste {

class StaticTable final : public Table {
 public:
    explicit StaticTable(std::string value) : Table("static:" + value), value_(std::move(value)) {}

    Result<std::optional<std::string>> find(std::string_view) const override {
        return std::optional<std::string>(value_);
    }

    bool may_hold_addresses_in(std::string_view) const override { return false; }

 private:
    std::string value_;
};

}  // namespace posthaste
