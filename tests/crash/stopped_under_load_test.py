#!/usr/bin/python3
"""A process that hangs does not hang the house: SIGSTOP of each service while mail flows, for seconds and for good.

For seconds: it goes on where it was; nobody else has noticed more than a full ring. For good: master sees within daemon_timeout
(30 s by default, 2 s here) that it does not come round, kills it and starts another, as if it had died. Nothing that was
answered is lost, and only mail an agent had on its connections may arrive twice.
"""

import os
import signal
import time

from load import LANES, Load
from harness import Relay, Sink, main, wait_until

SERVICES = ["smtpd", "cleanup", "trivial-rewrite", "store", "qmgr", "smtp", "postlogd"]
FOR_SECONDS = 2
# Small enough that all of them are full while somebody stands still.
TIGHT = {"smtpd_arena_size": "2M", "cleanup_arena_size": "1M", "store_arena_size": "2M"}
MANY = {
    "plain": ["--sessions", "60", "--size", "20000", "--domain", "a.test", "--messages", "150"],
    "pipelining": ["--sessions", "60", "--size", "5000", "--domain", "b.test", "--messages", "800", "--pipelining"],
    "large": ["--sessions", "20", "--size", "300000", "--domain", "b.test", "--messages", "10"],
}


class Stopped:
    """All processes of one program stand still inside a `with`."""

    def __init__(self, relay, program):
        self.pids = relay.children()[program]

    def __enter__(self):
        for pid in self.pids:
            os.kill(pid, signal.SIGSTOP)

    def __exit__(self, *_):
        for pid in self.pids:
            os.kill(pid, signal.SIGCONT)


def stop_each_for_seconds(load, programs):
    staff = load.relay.children()
    for program in programs:
        with Stopped(load.relay, program):
            time.sleep(FOR_SECONDS)
        load.wait_for_more(what=f"mail to flow on when {program} goes on")
    assert load.relay.children() == staff, "somebody died of it"
    load.account(f"each stopped for {FOR_SECONDS} s", 0, 0)


def test_each_service_stands_still_for_seconds():
    load = Load()
    load.start()
    load.wait_for_more()
    stop_each_for_seconds(load, SERVICES + ["master"])


def test_the_log_and_master_are_not_waited_for():
    load = Load(settings={"daemon_timeout": "1h"})  # a slow machine takes its time to fill a ring
    load.start()
    load.wait_for_more()
    for program in ["postlogd", "master"]:
        with Stopped(load.relay, program):
            load.wait_for_more(8000, seconds=120, what=f"mail to flow without {program}")
    load.account("without log, without master", 0, 0)
    # The ring of the log was full: what did not go in is counted, not waited for.
    load.relay.wait_log(r"[1-9]\d* log lines were dropped", 30)


def test_full_rings_and_arenas_push_back():
    load = Load(settings=TIGHT, clients=MANY)
    load.start()
    load.wait_for_more()
    stop_each_for_seconds(load, ["store", "qmgr", "postlogd"])


def test_who_stays_hung_is_killed_and_replaced():
    load = Load(settings={"daemon_timeout": "2s"})
    load.start()
    load.wait_for_more()
    for program in SERVICES:
        pid = load.relay.children()[program][0]
        os.kill(pid, signal.SIGSTOP)
        load.relay.wait_log(rf"{program}/\d+ \(pid {pid}\) hangs, for 2s now: killed")
        wait_until(lambda: pid not in load.relay.children().get(program, []), 30, f"{program} to be reaped")
        load.wait_for_more(what=f"mail to flow on without the hung {program}")
    load.account("each hung for good", 0, LANES)


def test_idle_is_not_hung():
    relay = Relay(Sink().port, settings={"daemon_timeout": "1s"})
    staff = relay.children()
    time.sleep(4)  # four times what would be fatal
    assert relay.children() == staff, relay.log()[-2000:]


main(globals())
