#!/usr/bin/python3
"""The power is cut fifty times while mail is taken and delivered: what was not synced is gone, every message that was answered
250 arrives, and the relay is back in under five seconds each time, with a queue of thousands.

The queue lies on an ext4 of its own (loop_disk.py). A cut stops every process in one moment, whatever it was at, takes the
device as it is then, and throws away what only the page cache knew: data, names, the file system's own journal. What a torn
write looks like byte by byte is store_test's (LogRepair, QueueStore.TornLastWrites…). Memtables are small, so that logs turn over and
old ones are zeroed and used again while the power goes.

    POSTHASTE_QUEUED=100000 power_cut_test.py     with so many deferred messages in the queue (default: 10,000)
    POSTHASTE_CUTS=200                            more cuts (default: 50)
"""

import os
import random
import time

from load import LANES, Arrivals, Load
from loop_disk import LoopDisk
from harness import Sink, free_port, main, wait_until

CUTS = int(os.environ.get("POSTHASTE_CUTS", "50"))
QUEUED = int(os.environ.get("POSTHASTE_QUEUED", "10000"))
RECOVERY_S_MAX = 5
# What may be done twice after a cut: one delivery on each connection, as when an agent dies; and the outcomes of two synced writes, the
# one under way and the one that gathers meanwhile, each of at most kOutcomesWaitingMax (store/store_service.h).
TWICE_AFTER_CUT_MAX = LANES + 2 * 1024


def test_what_was_acknowledged_survives_every_cut():
    later = free_port()
    disk = LoopDisk(megabytes=2500 + QUEUED // 50)
    load = Load(start=False, settings={"minimal_backoff_time": "3h", "maximal_backoff_time": "3h", "store_write_buffer_size": "1M"},
                routes={"later.test": later})
    relay = load.relay
    disk.take_queue_of(relay)
    relay.start()
    load.send("later", "later", "--domain", "later.test", "--messages", str(QUEUED), "--sessions", "30", "--size", "1000", "--pipelining")
    load.start()
    load.wait_for_more()
    seconds = []
    for number in range(CUTS):
        load.wait_for_more(random.randrange(1, 300) if number % 7 else random.randrange(2000, 4000))
        disk.power_cut(relay)
        began = time.monotonic()
        relay.start()
        seconds.append(time.monotonic() - began)
        load.wait_for_more(1)
    load.stop()

    # Now those that waited through all of it.
    sink = Sink(port=later)
    load.arrivals.append(Arrivals(sink))
    relay.wait_deferred(seconds=120)
    relay.flush()
    wait_until(lambda: len(load.arrivals[-1].look()) >= QUEUED, 300, "what was queued to go out")
    load.account(f"{CUTS} power cuts", 0, CUTS * TWICE_AFTER_CUT_MAX)
    seconds.sort()
    print(f"        with {QUEUED} in the queue, ready again after {seconds[len(seconds) // 2]:.2f} s (median), {seconds[-1]:.2f} s at most")
    assert seconds[-1] < RECOVERY_S_MAX, seconds
    assert "quarantine" not in relay.log() and "damaged" not in relay.log(), relay.log()[-3000:]


main(globals())
