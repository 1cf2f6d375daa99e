// lookup/table.h: a table as main.cf names it ("texthash:/etc/posthaste/transport"): one key in, at
// most one value out.
//
// Opened once, in the prepare stage (files are read then and never again: the process lives in an
// empty chroot afterwards; `posthaste reload` starts a new one). Owned by whoever opened it; const
// and without locks, so any thread may ask.
//
// Promises  ASCII letters compare without regard to case, in keys and in what is asked.
//           What a file got wrong is told as "file:line: reason", at open.
// Does not  try partial keys (domain, parents, "*"): that is transport_map.h and match_list.h. Values are not
//           interpreted.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace posthaste {

class Table {
 public:
    explicit Table(std::string name) : name_(std::move(name)) {}

    virtual ~Table() = default;
    Table(const Table&) = delete;
    Table& operator=(const Table&) = delete;

    // Nothing: the key is not there. An Error: the table cannot say now, ask again later.
    virtual Result<std::optional<std::string>> find(std::string_view key) const = 0;

    // Could a key user@domain exist that has a value of its own? When not, what was found for one
    // recipient of the domain holds for all of them.
    virtual bool may_hold_addresses_in(std::string_view domain) const {
        (void)domain;
        return true;
    }

    // "type:name", for logs.
    const std::string& name() const noexcept { return name_; }

 private:
    std::string name_;
};

// What opening something from the settings has to say. `error` empty: it worked.
struct OpenReport {
    std::string error;
    std::vector<std::string> warnings;
};

// Types: inline, texthash, static. Null when it failed; the report says why.
std::unique_ptr<Table> open_table(std::string_view spec, OpenReport& report);

}  // namespace posthaste
