#include "store/id_walk.h"

#include <algorithm>
#include <string>

#include "store/record.h"

namespace posthaste::store {

IdWalk::IdWalk(rocksdb::DB& database, rocksdb::ColumnFamilyHandle* family,
               const rocksdb::ReadOptions& read, const Rules& rules)
    : database_(database),
      family_(family),
      read_(read),
      rules_(rules),
      it_(database.NewIterator(read, family)) {}

void IdWalk::seek(MessageId first) {
    first_ = first;
    passed_damage_ = false;
    const auto key = id_key(first);
    it_->Seek({key.view().data(), key.view().size()});
    settle();
}

void IdWalk::next() {
    passed_damage_ = false;
    it_->Next();
    settle();
}

// Stands on an entry, at the end, or before what may not be passed.
void IdWalk::settle() {
    while (!it_->Valid() && is_passed(it_->status())) {
        const std::string why = it_->status().ToString();
        const MessageId end = end_of_damage();
        passed_damage_ = met_damage_ = true;
        if (rules_.log != nullptr && end > first_) {
            rules_.log->error("queue, " + family_->GetName() + ": nothing from " +
                              queue_id_text(first_) + " up to " + queue_id_text(end) +
                              " can be read: left in place: " + why);
        }
        first_ = end;
        if (!is_readable_from(end)) return;
    }
    if (!it_->Valid()) return;
    id_ = id_of_key({it_->key().data(), it_->key().size()}).value_or(kNoMessage);
    first_ = std::max(first_, id_ + 1);
}

bool IdWalk::is_passed(const rocksdb::Status& status) const {
    return status.IsCorruption() || (rules_.passes_unreadable && status.IsIOError());
}

// With a new iterator: one that met damage may find it again where there is none.
bool IdWalk::is_readable_from(MessageId id) {
    it_.reset(database_.NewIterator(read_, family_));
    const auto key = id_key(id);
    it_->Seek({key.view().data(), key.view().size()});
    return !is_passed(it_->status());
}

// The first id from which on reading is possible again. A good block between two damaged ones that
// lie near each other may be missed.
MessageId IdWalk::end_of_damage() {
    if (is_readable_from(first_)) return first_;
    MessageId bad = first_;
    MessageId good = first_;
    for (uint64_t step = 1; good == first_; step *= 2) {
        if (step > kMessageIdMax - first_) return kMessageIdMax + 1;
        if (is_readable_from(first_ + step)) {
            good = first_ + step;
        } else {
            bad = first_ + step;
        }
    }
    while (good - bad > 1) {
        const MessageId middle = bad + (good - bad) / 2;
        (is_readable_from(middle) ? good : bad) = middle;
    }
    return good;
}

}  // namespace posthaste::store
