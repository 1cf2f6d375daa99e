// Keys and values as the disk may give them back: {choice, id, then envelope, state and reasons as
// texts}, and all of it once as a key and as a sealed value. A value is taken under its own id
// only; what an operator is shown is one line of JSON, whatever was stored.
#include <nlohmann/json.hpp>
#include <string>

#include "base/bytes.h"

#include "mail/envelope.h"
#include "mail/queue_state.h"

#include "store/listing.h"
#include "store/record.h"

#include "tests/fuzz/fuzz.h"

using namespace posthaste;

namespace {

void check_key(std::string_view bytes) {
    const auto id = store::id_of_key(bytes);
    ASSERT(id.has_value() == (bytes.size() >= store::kIdKeyBytes));
    if (!id) return;
    ASSERT(store::id_key(*id).view() == bytes.substr(0, store::kIdKeyBytes));
    if (const auto recipient = store::recipient_of_key(bytes))
        ASSERT(store::reason_key(*id, *recipient).view() == bytes);
}

void check_value(MessageId id, std::string_view bytes) {
    if (const auto payload = store::unseal(id, bytes)) {
        ASSERT(fuzz::is_inside(*payload, bytes));
        ASSERT(!store::unseal(id + 1, bytes));
    }
    // Sealed in any number of pieces it is the same, and no byte of it may change.
    std::string sealed;
    const size_t half = bytes.size() / 2;
    const std::string_view pieces[] = {bytes.substr(0, half), bytes.substr(half)};
    const std::string_view whole[] = {bytes};
    ASSERT(store::seal_of(id, pieces).view() == store::seal_of(id, whole).view());
    sealed.append(store::seal_of(id, pieces).view()).append(bytes);
    ASSERT(store::unseal(id, sealed) == bytes);
    sealed[id % sealed.size()] ^= 1;
    ASSERT(!store::unseal(id, sealed));
}

void check_reason(std::string_view bytes) {
    const auto reason = store::decode_reason(bytes);
    if (!reason) return;
    std::string again;
    store::encode_reason(*reason, again);
    ASSERT(again == bytes);
}

void check_listing(MessageId id, std::string_view bytes) {
    ByteReader reader(bytes);
    const std::string_view envelope = reader.text(bytes.size());
    const std::string_view state = reader.text(bytes.size());
    std::vector<store::QueueStore::StoredReason> reasons;
    while (reader.ok() && reasons.size() < 10) {
        const auto recipient = reader.number<uint32_t>();
        const std::string_view dsn = reader.text(16);
        const std::string_view text = reader.text(kReasonBytesMax);
        if (reader.ok()) reasons.push_back({recipient, std::string(dsn), std::string(text)});
    }
    std::string out;
    store::append_listed_message(id, envelope, state, reasons, out);
    if (out.empty()) return;
    ASSERT(out.find('\n') == out.size() - 1);
    for (const char c : out.substr(0, out.size() - 1)) ASSERT(static_cast<unsigned char>(c) >= ' ');
    const auto json = nlohmann::json::parse(out, nullptr, false);
    ASSERT(json.is_object());
    // Never more recipients than the envelope has.
    if (const auto decoded = decode_envelope(envelope); decoded && json.contains("recipients"))
        ASSERT(json["recipients"].size() <= decoded->recipients.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view bytes = fuzz::text_of(data, size);
    check_key(bytes);
    check_reason(bytes);
    ByteReader reader(bytes);
    const auto id = reader.number<MessageId>();
    if (!reader.ok()) return 0;
    check_value(id, reader.rest());
    check_listing(id, reader.rest());
    return 0;
}
