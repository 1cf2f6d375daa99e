// cleanup/cleanup/address_completion.h: an address that names no domain, or half of one, gets the
// rest.
//
//   user        → user@$myorigin              append_at_myorigin
//   user@host   → user@host.$mydomain         append_dot_mydomain
//
// Pure. An address that needs nothing is not touched to the byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "mail/headers.h"

namespace posthaste::cleanup {

struct AddressCompletion {
    std::string origin;  // empty: addresses without a domain stay so
    std::string parent;  // empty: domains without a dot stay so
};

// The empty address and address literals are complete.
bool is_complete(std::string_view address, const AddressCompletion& completion) noexcept;
// Appends the completed address.
void append_completed(std::string_view address, const AddressCompletion& completion,
                      std::string& out);

// From, To, Cc and the other fields that hold addresses, in any of their forms, Resent- included.
bool holds_addresses(Field field) noexcept;
// Appends the whole field with every address completed; false, and nothing appended, when none of
// them needs it or the field does not parse (then it is better left as it came). Looks at no more
// than addresses_max. too_long, and nothing appended: `out` would be longer than out_bytes_max.
enum class Completed : uint8_t { no, yes, too_long };
Completed append_completed_field(const HeaderField& field, const AddressCompletion& completion,
                                 size_t addresses_max, size_t out_bytes_max, std::string& out);

}  // namespace posthaste::cleanup
