#include "ingress/smtpd/message_memory.h"

#include <gtest/gtest.h>

#include "runtime/testing_loop.h"

namespace posthaste::smtpd {
namespace {

TEST(MessageMemory, IsShortForAMomentAfterTheQueueWasFull) {
    TestingLoop loop;
    auto arena = Arena::create(1, 1 << 20);
    ASSERT_TRUE(arena);
    MessageMemory memory(loop, *arena);
    EXPECT_FALSE(memory.is_short());
    memory.on_answer(451);
    EXPECT_FALSE(memory.is_short()) << "that says nothing of the queue's room";
    memory.on_answer(452);
    EXPECT_TRUE(memory.is_short());
    loop.pass_time(MessageMemory::kQueueFullUs);
    EXPECT_FALSE(memory.is_short());
    memory.on_answer(452);
    memory.on_answer(250);
    EXPECT_FALSE(memory.is_short()) << "it has taken one since";
}

}  // namespace
}  // namespace posthaste::smtpd
