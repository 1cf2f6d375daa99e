#!/usr/bin/python3
"""A hundred deaths under one load: SIGKILL of each service and of master, singly, in pairs and all at once, while several
clients send. Every message that was answered 250 arrives, the house is at work again after each death, and what arrives
twice is bounded by what was in flight where somebody died.

Whose death costs a duplicate: an agent's alone. It has sent the final dot and dies before its report is out: at most one
message on each of its connections, since the next body waits for this one's answer. Everybody else's knowledge is kept by somebody: qmgr's by the agents and
the store, the store's by qmgr and the disk, what cleanup and smtpd hold was not answered yet.

    POSTHASTE_DEATHS=1000 many_deaths_test.py     more of them (default: 100 and some)
    POSTHASTE_SEED=n                              the same victims again; the seed is printed
"""

import collections
import os
import random
import signal
import time

from load import LANES, Load
from harness import is_alive, main, wait_until

DEATHS = int(os.environ.get("POSTHASTE_DEATHS", "104"))
SEED = int(os.environ.get("POSTHASTE_SEED", random.randrange(1_000_000)))
ORDINARY = ["smtpd", "cleanup", "store", "qmgr", "trivial-rewrite", "postlogd"]
SERVICES = ORDINARY + ["smtp"]
# Master lets one that dies again and again wait for 2, 4, 8 … seconds, unless it had worked for a second.
WORKED_S = 1.2


class House:
    """Who dies, and how long until mail flows again."""

    def __init__(self, load):
        self.load = load
        self.relay = load.relay
        self.staff = {program: len(pids) for program, pids in self.relay.children().items()}
        self.deaths = collections.Counter()
        self.seconds = collections.defaultdict(list)
        self.back_since = collections.defaultdict(float)

    def is_staffed(self):
        present = self.relay.children()
        return all(len(present.get(program, [])) == count for program, count in self.staff.items())

    def kill(self, victims):
        """One process of each program in `victims`, at the same moment; then the house recovers."""
        worked = min(time.monotonic() - self.back_since[program] for program in victims)
        time.sleep(max(0, WORKED_S - worked))
        present = self.relay.children()
        pids = [random.choice(present[program]) for program in victims]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        self.deaths.update(victims)
        wait_until(lambda: not any(is_alive(pid) for pid in pids) and self.is_staffed(), 90, f"{victims} to be back")
        self.load.wait_for_more(what=f"mail to flow on after the death of {victims}")
        for program in victims:
            self.back_since[program] = time.monotonic()
            self.seconds[program].append(time.monotonic() - began)

    def kill_master(self):
        """Its children notice, finish in its order, and go; nobody waits for one that has gone already."""
        children = self.relay.children()
        master = children.pop("master")[0]
        os.kill(master, signal.SIGKILL)
        self.deaths["master"] += 1
        orphans = [pid for pids in children.values() for pid in pids]
        wait_until(lambda: not any(is_alive(pid) for pid in orphans), 60, "the orphans to finish what they hold and go")
        assert "giving up" not in self.relay.log(), self.relay.log()[-3000:]
        self.come_back()

    def kill_everybody(self):
        for program, pids in self.relay.children().items():
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            self.deaths[program] += len(pids)
        self.come_back()

    def come_back(self):
        # Who was killed a moment ago may still hold the port.
        wait_until(lambda: self.relay.posthaste("start", check=False).returncode == 0, 30, "a new start")
        self.load.wait_for_more()


def test_a_hundred_deaths():
    print(f"        seed {SEED}")
    random.seed(SEED)
    load = Load()
    house = House(load)
    load.start()
    load.wait_for_more()

    for i in range(DEATHS * 42 // 100):
        house.kill([ORDINARY[i % len(ORDINARY)]])
    twice = load.account("services that deliver nothing, one at a time", 0, 0)

    load.start()
    agents = DEATHS // 10
    for _ in range(agents):
        house.kill(["smtp"])
    twice = load.account("smtp", twice, agents * LANES)

    load.start()
    agents = house.deaths["smtp"]
    for _ in range(DEATHS // 8):
        house.kill(random.sample(SERVICES, 2))
    agents = house.deaths["smtp"] - agents
    twice = load.account("pairs", twice, agents * LANES)

    load.start()
    masters = max(2, DEATHS // 50)
    for _ in range(masters):
        house.kill_master()
    twice = load.account("master", twice, 0)

    load.start()
    for _ in range(masters):
        house.kill_everybody()
    load.account("everybody at once", twice, masters * LANES)

    for program, seconds in sorted(house.seconds.items()):
        print(f"        {program}: mail flowed again after {sorted(seconds)[len(seconds) // 2]:.2f} s (median of {len(seconds)}, "
              f"at most {max(seconds):.2f})")
    print(f"        {sum(house.deaths.values())} deaths: {dict(house.deaths)}")
    assert sum(house.deaths.values()) >= min(DEATHS, 100)


main(globals())
