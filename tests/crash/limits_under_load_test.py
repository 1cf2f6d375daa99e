#!/usr/bin/python3
"""Too little memory, too few descriptors: somebody may die of the first, nobody of the second, and no acknowledged mail is lost.

The memory limit is a control group's (version 2, or version 1 where the machine has that): what the kernel kills in it is started
again. Skipped, and said so, where there is neither.
"""

import os

from load import LANES, Load
from harness import POSTHASTE, Smtp, main, remember_to, run, wait_until

DESCRIPTORS = 80  # of each process
ROOM_BYTES = 3 << 20
GROUPS = [("/sys/fs/cgroup/unified", "memory.max"), ("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")]


class MemoryGroup:
    """A control group of our own, or none."""

    def __init__(self):
        self.path = None
        for root, limit in GROUPS:
            path = os.path.join(root, f"posthaste-test-{os.getpid()}")
            try:
                os.mkdir(path)
            except OSError:
                continue
            remember_to(lambda path=path: os.rmdir(path))
            if os.path.exists(os.path.join(path, limit)):
                self.path, self.limit = path, limit
                return

    def write(self, name, value):
        with open(os.path.join(self.path, name), "w") as f:
            f.write(str(value))

    def take(self, pids):
        for pid in pids:
            self.write("cgroup.procs", pid)

    def leave(self):
        with open(os.path.join(os.path.dirname(self.path), "cgroup.procs"), "w") as f:
            f.write(str(os.getpid()))

    def used(self):
        name = "memory.current" if self.limit == "memory.max" else "memory.usage_in_bytes"
        with open(os.path.join(self.path, name)) as f:
            return int(f.read())


def test_a_memory_limit():
    group = MemoryGroup()
    if not group.path:
        print("        skipped: no control group with a memory limit can be made on this machine")
        return
    load = Load(start=False)
    group.take([os.getpid()])
    load.relay.start()
    group.leave()
    # Room for a few messages. Each time that is used up the kernel kills somebody, and master starts him again.
    group.write(group.limit, group.used() + ROOM_BYTES)
    load.start()

    def victims():
        return load.relay.log().count("killed by signal 9")
    wait_until(lambda: victims() >= 2, 60, "two victims")
    group.write(group.limit, 8 << 30)
    load.wait_for_more()
    load.account(f"{victims()} killed for memory", 0, victims() * LANES)


def test_more_clients_than_descriptors():
    load = Load(start=False)
    relay = load.relay
    run("bash", "-c", f"ulimit -n {DESCRIPTORS} && exec {POSTHASTE} -c {relay.directory} start")
    staff = relay.children()
    clients = [Smtp(relay.port, timeout=30) for _ in range(4 * DESCRIPTORS)]  # the kernel takes them; smtpd can not
    wait_until(lambda: sum(len(os.listdir(f"/proc/{pid}/fd")) >= DESCRIPTORS - 1 for pid in staff["smtpd"]), 30, "smtpd to have used up its own")
    greeted = [client for client in clients[:10] if client.hear().startswith("220")]
    assert greeted, "those who came first are served"
    assert all(client.ask("NOOP").startswith("250") for client in greeted)
    assert relay.children() == staff, "somebody died for want of a descriptor"
    for client in clients:
        client.close()
    load.start()
    load.wait_for_more(2000)
    load.account("after more clients than descriptors", 0, 0)
    assert relay.children() == staff, "somebody died for want of a descriptor"


main(globals())
