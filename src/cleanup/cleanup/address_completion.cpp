#include "cleanup/cleanup/address_completion.h"

#include <vector>

#include "mail/address.h"

namespace posthaste::cleanup {
namespace {

enum class Lack : uint8_t { nothing, domain, parent };

Lack lack_of(std::string_view address, const AddressCompletion& completion) noexcept {
    if (address.empty()) return Lack::nothing;
    const std::string_view domain = domain_of(address);
    if (domain.empty()) {
        const bool plain = address.back() != '@';
        return plain && !completion.origin.empty() ? Lack::domain : Lack::nothing;
    }
    const bool whole = domain.front() == '[' || domain.find('.') != std::string_view::npos;
    return whole || completion.parent.empty() ? Lack::nothing : Lack::parent;
}

}  // namespace

bool is_complete(std::string_view address, const AddressCompletion& completion) noexcept {
    return lack_of(address, completion) == Lack::nothing;
}

void append_completed(std::string_view address, const AddressCompletion& completion,
                      std::string& out) {
    out += address;
    switch (lack_of(address, completion)) {
        case Lack::nothing:
            return;
        case Lack::domain:
            out.append("@").append(completion.origin);
            return;
        case Lack::parent:
            out.append(".").append(completion.parent);
            return;
    }
}

bool holds_addresses(Field field) noexcept {
    switch (field) {
        case Field::from:
        case Field::sender:
        case Field::to:
        case Field::cc:
        case Field::bcc:
        case Field::reply_to:
        case Field::resent_from:
        case Field::resent_to:
        case Field::resent_cc:
        case Field::resent_bcc:
            return true;
        default:
            return false;
    }
}

Completed append_completed_field(const HeaderField& field, const AddressCompletion& completion,
                                 size_t addresses_max, size_t out_bytes_max, std::string& out) {
    static thread_local std::vector<std::string_view> addresses;  // memory kept from field to field
    if (!addresses_in(field.value, addresses_max, addresses)) return Completed::no;
    const size_t out_bytes_before = out.size();
    const char* done = field.whole.data();
    const char* const end = done + field.whole.size();
    for (const std::string_view address : addresses) {
        if (is_complete(address, completion)) continue;
        out.append(done, static_cast<size_t>(address.data() - done));
        append_completed(address, completion, out);
        done = address.data() + address.size();
        if (out.size() + static_cast<size_t>(end - done) > out_bytes_max) {
            out.resize(out_bytes_before);
            return Completed::too_long;
        }
    }
    if (done == field.whole.data()) return Completed::no;
    out.append(done, static_cast<size_t>(end - done));
    return Completed::yes;
}

}  // namespace posthaste::cleanup
