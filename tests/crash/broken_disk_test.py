#!/usr/bin/python3
"""A disk that fails: no 250 for what it did not take, the reason in the log, and everything acknowledged arrives once it is whole.

The device under the queue's ext4 runs out of sectors it can write (loop_disk.py) while mail flows: writes fail with EIO.
"""

import re
import time

from load import LANES, Load
from loop_disk import LoopDisk
from harness import main, wait_until


def test_writes_fail_while_mail_flows():
    disk = LoopDisk(megabytes=2500)
    load = Load(start=False)
    relay = load.relay
    disk.take_queue_of(relay)
    relay.start()
    staff = relay.children()
    load.start()
    load.wait_for_more()
    disk.let_device_shrink()
    # The second: Debian's RocksDB asserts that a file whose write failed is left alone, and does not always leave it alone. The store ends
    # before it can say why, with nothing answered, and the next one can not open the queue.
    relay.wait_log(r"store\[\d+\]: fatal: queue (can not be written|database: )", 120)
    relay.wait_log(r"(Input/output error|Read-only file system)", 120)
    now = relay.children()
    for program in staff:
        if program != "store":
            assert now.get(program) == staff[program], f"{program} died of the store's disk"
    # What was lent goes on being delivered, and there is nobody to record it.
    def unrecorded():
        return relay.counter("qmgr", "outcomes_unrecorded")

    def all_is_delivered():
        before = unrecorded()
        time.sleep(0.5)
        return unrecorded() == before

    wait_until(all_is_delivered, 60, "what was lent to be delivered")
    delivered = unrecorded()
    relay.posthaste("stop")
    disk.let_device_grow(5000)
    disk.unmount()
    disk.mount()
    relay.start()
    load.account("a disk that failed and was replaced", 0, delivered + LANES)
    assert not re.search("quarantine", relay.log())


main(globals())
