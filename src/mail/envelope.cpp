// Version 1. Little-endian; text = {u32 length, bytes}.
//
//   offset size  field
//        0    1  version = 1
//        1    1  flags: bit 0 smtputf8, bit 1 body_8bit, others 0
//        2    1  dsn_return: 0 unset, 1 full, 2 headers
//        3    1  0
//        4    8  id
//       12    8  arrived_wall_us
//       20    8  size_bytes
//       28    4  recipient count, 1..kRecipientsMax
//       32    -  texts: sender, envelope_id, client_name, client_address, helo, protocol
//        -    -  for each recipient: u8 notify, text address, text original_recipient
//
// To change it: add version 2, read 1 as long as queues may hold it, add golden bytes to the test.
#include "mail/envelope.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/strings.h"

#include "mail/address.h"

namespace posthaste {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kFlagSmtputf8 = 1;
constexpr uint8_t kFlagBody8bit = 2;
constexpr size_t kHeadBytes = 32;
constexpr size_t kRecipientBytesMin = 1 + 4 + 4;

// {u32 length, bytes} with at most size_max bytes and without controls.
void put_sanitized(std::string_view text, size_t size_max, ByteWriter& writer, std::string& out) {
    text = text.substr(0, size_max);
    writer.number(static_cast<uint32_t>(text.size()));
    for (const char c : text) out.push_back(is_control(c) ? '?' : c);
}

// Controls in an address or HELO would become commands in the next conversation.
std::string_view get_clean(ByteReader& reader, size_t size_max) {
    const std::string_view text = reader.text(size_max);
    if (has_control(text)) reader.fail();
    return text;
}

// NEVER stands alone (RFC 3461 4.1).
bool is_valid_notify(uint8_t notify) noexcept {
    return notify <= 15 && ((notify & kNotifyNever) == 0 || notify == kNotifyNever);
}

bool is_valid_text(std::string_view text, size_t size_max) noexcept {
    return text.size() <= size_max && !has_control(text);
}

constexpr Error malformed() noexcept { return {Errc::malformed, 0, "decode envelope"}; }

// An Envelope without memory of its own, and without recipients.
struct EnvelopeViews {
    MessageId id;
    int64_t arrived_wall_us;
    uint64_t size_bytes;
    std::string_view sender;
    bool smtputf8;
    bool body_8bit;
    DsnReturn dsn_return;
    std::string_view envelope_id;
    std::string_view client_name;
    std::string_view client_address;
    std::string_view helo;
    std::string_view protocol;
};

// Into an Envelope or EnvelopeViews. expect(count), then keep(notify, address, original_recipient)
// for each recipient.
template <class Fields, class Expect, class Keep>
Result<void> read_envelope(std::string_view bytes, Fields& envelope, Expect expect, Keep keep) {
    if (bytes.size() > kEnvelopeBytesMax) return Error{Errc::too_large, 0, "decode envelope"};
    ByteReader reader(bytes);
    if (reader.number<uint8_t>() != kVersion) return malformed();
    const auto flags = reader.number<uint8_t>();
    const auto dsn_return = reader.number<uint8_t>();
    const auto zero = reader.number<uint8_t>();
    if ((flags & ~(kFlagSmtputf8 | kFlagBody8bit)) != 0 || dsn_return > 2 || zero != 0)
        return malformed();

    envelope.smtputf8 = (flags & kFlagSmtputf8) != 0;
    envelope.body_8bit = (flags & kFlagBody8bit) != 0;
    envelope.dsn_return = static_cast<DsnReturn>(dsn_return);
    envelope.id = reader.number<MessageId>();
    envelope.arrived_wall_us = reader.number<int64_t>();
    envelope.size_bytes = reader.number<uint64_t>();
    const auto count = reader.number<uint32_t>();
    envelope.sender = get_clean(reader, kAddressBytesMax);
    envelope.envelope_id = get_clean(reader, kEnvelopeIdBytesMax);
    envelope.client_name = get_clean(reader, kClientTextBytesMax);
    envelope.client_address = get_clean(reader, kClientTextBytesMax);
    envelope.helo = get_clean(reader, kClientTextBytesMax);
    envelope.protocol = get_clean(reader, kClientTextBytesMax);
    if (envelope.id > kMessageIdMax || count == 0 || count > kRecipientsMax) return malformed();
    // A count that the rest cannot hold is refused before it becomes memory.
    if (count > reader.rest().size() / kRecipientBytesMin) return malformed();
    expect(count);
    for (uint32_t i = 0; i < count; ++i) {
        const auto notify = reader.number<uint8_t>();
        const std::string_view address = get_clean(reader, kAddressBytesMax);
        const std::string_view original_recipient = get_clean(reader, kOrcptBytesMax);
        if (!is_valid_notify(notify) || address.empty()) return malformed();
        keep(notify, address, original_recipient);
    }
    if (!reader.complete()) return malformed();
    return {};
}

}  // namespace

bool envelope_fits(const Envelope& envelope) noexcept {
    if (envelope.id > kMessageIdMax || envelope.recipients.empty() ||
        envelope.recipients.size() > kRecipientsMax ||
        !is_valid_text(envelope.sender, kAddressBytesMax)) {
        return false;
    }
    size_t size_bytes = kHeadBytes + 6 * 4 + envelope.sender.size();
    for (const std::string_view text :
         {std::string_view(envelope.client_name), std::string_view(envelope.client_address),
          std::string_view(envelope.helo), std::string_view(envelope.protocol)}) {
        size_bytes += std::min(text.size(), kClientTextBytesMax);
    }
    size_bytes += std::min(envelope.envelope_id.size(), kEnvelopeIdBytesMax);
    for (const Recipient& recipient : envelope.recipients) {
        if (recipient.address.empty() || !is_valid_text(recipient.address, kAddressBytesMax) ||
            !is_valid_text(recipient.original_recipient, kOrcptBytesMax) ||
            !is_valid_notify(recipient.notify)) {
            return false;
        }
        size_bytes +=
            kRecipientBytesMin + recipient.address.size() + recipient.original_recipient.size();
    }
    return size_bytes <= kEnvelopeBytesMax;
}

void encode_envelope(const Envelope& envelope, std::string& out) {
    out.clear();
    ByteWriter writer(out);
    writer.number(kVersion);
    writer.number(static_cast<uint8_t>((envelope.smtputf8 ? kFlagSmtputf8 : 0) |
                                       (envelope.body_8bit ? kFlagBody8bit : 0)));
    writer.number(envelope.dsn_return);
    writer.number<uint8_t>(0);
    writer.number(envelope.id);
    writer.number(envelope.arrived_wall_us);
    writer.number(envelope.size_bytes);
    writer.number(static_cast<uint32_t>(envelope.recipients.size()));
    writer.text(envelope.sender);
    put_sanitized(envelope.envelope_id, kEnvelopeIdBytesMax, writer, out);
    put_sanitized(envelope.client_name, kClientTextBytesMax, writer, out);
    put_sanitized(envelope.client_address, kClientTextBytesMax, writer, out);
    put_sanitized(envelope.helo, kClientTextBytesMax, writer, out);
    put_sanitized(envelope.protocol, kClientTextBytesMax, writer, out);
    for (const Recipient& recipient : envelope.recipients) {
        writer.number(recipient.notify);
        writer.text(recipient.address);
        writer.text(recipient.original_recipient);
    }
}

MessageId id_of_envelope(std::string_view bytes) noexcept {
    ByteReader reader(bytes);
    reader.number<uint32_t>();  // version, flags
    const auto id = reader.number<MessageId>();
    return !reader.ok() || id > kMessageIdMax ? kNoMessage : id;
}

Result<Envelope> decode_envelope(std::string_view bytes) {
    Envelope envelope;
    RETURN_IF_ERROR(read_envelope(
        bytes, envelope, [&](uint32_t count) { envelope.recipients.reserve(count); },
        [&](uint8_t notify, std::string_view address, std::string_view original_recipient) {
            envelope.recipients.push_back(
                {std::string(address), std::string(original_recipient), notify});
        }));
    return envelope;
}

Result<EnvelopeSummary> check_envelope(std::string_view bytes) {
    EnvelopeViews envelope{};
    RETURN_IF_ERROR(read_envelope(
        bytes, envelope, [](uint32_t) {}, [](uint8_t, std::string_view, std::string_view) {}));
    return EnvelopeSummary{envelope.id, envelope.size_bytes};
}

}  // namespace posthaste
