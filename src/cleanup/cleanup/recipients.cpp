#include "cleanup/cleanup/recipients.h"

#include <string>
#include <unordered_set>

#include "mail/address.h"

namespace posthaste::cleanup {
namespace {

void complete(const AddressCompletion& completion, std::string& address) {
    if (is_complete(address, completion)) return;
    std::string whole;
    append_completed(address, completion, whole);
    // A bound that completion would break is kept; the address stays as the client gave it.
    if (whole.size() <= kAddressBytesMax) address = std::move(whole);
}

}  // namespace

void complete_envelope(const CleanupPolicy& policy, Envelope& envelope) {
    complete(policy.envelope, envelope.sender);
    for (Recipient& recipient : envelope.recipients) {
        if (is_complete(recipient.address, policy.envelope)) continue;
        // Who is told of the delivery knows the address as he gave it (RFC 3461 4.2).
        if (recipient.original_recipient.empty()) {
            recipient.original_recipient = is_ascii(recipient.address) ? "rfc822;" : "utf-8;";
            append_external(recipient.original_recipient, recipient.address);
        }
        complete(policy.envelope, recipient.address);
    }
}

void drop_duplicates(const CleanupPolicy& policy, Envelope& envelope) {
    if (envelope.recipients.size() < 2) return;
    std::unordered_set<std::string> seen;
    std::erase_if(envelope.recipients, [&](const Recipient& recipient) {
        std::string key = canonical_address(recipient.address);
        if (policy.tell_duplicates_by_original) {
            // No address holds a line end, so the parts can not run together.
            key.append("\n").append(recipient.original_recipient);
            key += static_cast<char>(recipient.notify);
        }
        if (policy.duplicates_max != 0 && seen.size() >= policy.duplicates_max)
            return seen.contains(key);
        return !seen.insert(std::move(key)).second;
    });
}

}  // namespace posthaste::cleanup
