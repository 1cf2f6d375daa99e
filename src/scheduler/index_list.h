// scheduler/index_list.h: a doubly linked list through objects of one slab. Every operation takes
// constant time and allocates nothing; an object is in as many lists at once as it has Links
// members.
//
// The list does not know whether an object is in it: its user does.
#pragma once

#include <cstdint>

#include "scheduler/slab.h"

namespace posthaste {

struct Links {
    uint32_t next = kNone;
    uint32_t previous = kNone;
};

template <class T, Links T::*kLinks>
class IndexList {
 public:
    bool empty() const noexcept { return head_ == kNone; }

    uint32_t front() const noexcept { return head_; }

    template <class Objects>
    uint32_t next(const Objects& objects, uint32_t index) const noexcept {
        return (objects[index].*kLinks).next;
    }

    template <class Objects>
    void push_back(Objects& objects, uint32_t index) noexcept {
        (objects[index].*kLinks) = {kNone, tail_};
        if (tail_ == kNone) {
            head_ = index;
        } else {
            (objects[tail_].*kLinks).next = index;
        }
        tail_ = index;
    }

    template <class Objects>
    void push_front(Objects& objects, uint32_t index) noexcept {
        (objects[index].*kLinks) = {head_, kNone};
        if (head_ == kNone) {
            tail_ = index;
        } else {
            (objects[head_].*kLinks).previous = index;
        }
        head_ = index;
    }

    template <class Objects>
    void remove(Objects& objects, uint32_t index) noexcept {
        const Links links = objects[index].*kLinks;
        if (links.previous == kNone) {
            DCHECK(head_ == index);
            head_ = links.next;
        } else {
            (objects[links.previous].*kLinks).next = links.next;
        }
        if (links.next == kNone) {
            DCHECK(tail_ == index);
            tail_ = links.previous;
        } else {
            (objects[links.next].*kLinks).previous = links.previous;
        }
        (objects[index].*kLinks) = {};
    }

    template <class Objects>
    uint32_t pop_front(Objects& objects) noexcept {
        const uint32_t index = head_;
        if (index != kNone) remove(objects, index);
        return index;
    }

    // The first becomes the last.
    template <class Objects>
    void rotate(Objects& objects) noexcept {
        if (head_ == tail_) return;
        push_back(objects, pop_front(objects));
    }

 private:
    uint32_t head_ = kNone;
    uint32_t tail_ = kNone;
};

}  // namespace posthaste
