#include "scheduler/message_table.h"

#include "scheduler/hash.h"

namespace posthaste {

uint32_t MessageTable::find(MessageId id) const noexcept {
    return index_.find(hash_of(id), [&](uint32_t node) { return nodes_[node].id == id; });
}

uint32_t MessageTable::insert(MessageId id) {
    if (index_.size() >= messages_max_) return kNone;
    const uint32_t node = nodes_.allocate();
    nodes_[node] = {};
    nodes_[node].id = id;
    nodes_[node].place = Place::listed;
    index_.insert(hash_of(id), node);
    return node;
}

void MessageTable::erase(uint32_t node) {
    ASSERT(nodes_[node].next == kNone);
    index_.erase(hash_of(nodes_[node].id), node);
    nodes_[node] = {};
    nodes_.free(node);
}

uint32_t MessageTable::make_list() {
    const uint32_t list = nodes_.allocate();
    nodes_[list] = {};
    nodes_[list].place = Place::head;
    nodes_[list].next = nodes_[list].previous = list;
    return list;
}

void MessageTable::link_before(uint32_t position, uint32_t node) noexcept {
    DCHECK(nodes_[node].next == kNone);
    const uint32_t previous = nodes_[position].previous;
    nodes_[node].next = position;
    nodes_[node].previous = previous;
    nodes_[previous].next = node;
    nodes_[position].previous = node;
}

void MessageTable::unlink(uint32_t node) noexcept {
    MessageNode& it = nodes_[node];
    DCHECK(it.next != kNone);
    nodes_[it.previous].next = it.next;
    nodes_[it.next].previous = it.previous;
    it.next = it.previous = kNone;
}

void MessageTable::splice_back(uint32_t to, uint32_t from) noexcept {
    if (empty(from)) return;
    const uint32_t first = nodes_[from].next;
    const uint32_t last = nodes_[from].previous;
    const uint32_t tail = nodes_[to].previous;
    nodes_[tail].next = first;
    nodes_[first].previous = tail;
    nodes_[last].next = to;
    nodes_[to].previous = last;
    nodes_[from].next = nodes_[from].previous = from;
}

}  // namespace posthaste
