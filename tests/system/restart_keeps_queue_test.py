#!/usr/bin/python3
"""What waits in the queue survives a stop, an abort and a kill, with its reasons and the time of its next attempt."""

import os
import signal

from harness import Relay, is_alive, main, wait_until
from receivers import AioReceiver


def relay_with_deferred(count, **settings):
    receiver = AioReceiver()
    receiver.stop()
    relay = Relay(receiver.port, settings={"minimal_backoff_time": "1h", "maximal_backoff_time": "1h", **settings})
    for i in range(count):
        relay.send(f"Subject: number {i}\r\n\r\nbody {i}\r\n", recipients=[f"r{i}@dest.test", f"s{i}@dest.test"])
    relay.wait_deferred(count)
    return relay, receiver.port


def as_listed(relay):
    return sorted(relay.queue(), key=lambda m: m["queue_id"])


def assert_survives(relay, port, count, end):
    before = as_listed(relay)
    end()
    relay.start()
    wait_until(lambda: as_listed(relay) == before, what="the same queue after the restart")
    # Not due yet: nobody was tried because of the restart. Then everything at once, because we say so.
    receiver = AioReceiver(port=port)
    queue_id = relay.send("Subject: fresh\r\n\r\nfresh\r\n")
    relay.wait_log(rf"{queue_id}: removed")
    assert len(receiver.messages) == 1, "deferred mail was tried before its time"
    assert len(as_listed(relay)) == count
    relay.flush()
    receiver.wait(count + 1)
    relay.wait_queue_empty()
    assert len(receiver.messages) == count + 1
    bodies = sorted(m.body for m in receiver.messages[1:])
    assert bodies == sorted(b"body %d\r\n" % i for i in range(count)), bodies


def test_a_stop():
    relay, port = relay_with_deferred(20)
    assert_survives(relay, port, 20, relay.stop)


def test_an_abort():
    relay, port = relay_with_deferred(20)
    assert_survives(relay, port, 20, lambda: relay.posthaste("abort"))


def test_all_processes_killed_at_once():
    relay, port = relay_with_deferred(20)

    def kill():
        children = relay.children()
        for pid in sum(children.values(), []):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(map(is_alive, sum(children.values(), []))), what="death")
    assert_survives(relay, port, 20, kill)


def test_a_due_time_that_passed_while_down_is_kept_too():
    relay, port = relay_with_deferred(3, minimal_backoff_time="2s", maximal_backoff_time="2s")
    relay.stop()
    receiver = AioReceiver(port=port)
    relay.start()
    receiver.wait(3)            # no flush: their time has come
    relay.wait_queue_empty()


main(globals())
