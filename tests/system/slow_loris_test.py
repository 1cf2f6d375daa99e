#!/usr/bin/python3
"""Clients that hold a connection and say nothing, or a byte now and then: good mail goes on beside them.

The normal form shows that every good message gets through and nobody who may connect is refused, with POSTHASTE_LORIS (600)
sessions. `slow_loris_test.py --measure` measures: rounds without and with 10,000 of them in turn, good mail at no less than 90 %
of its rate; for a machine with nothing else to do.
"""

import os
import resource
import selectors
import socket
import statistics
import sys
import threading
import time

from harness import Relay, Sink, main, source, wait_until

MEASURE = "--measure" in sys.argv
if MEASURE:
    sys.argv.remove("--measure")
COUNT = int(os.environ.get("POSTHASTE_LORIS", "10000" if MEASURE else "600"))
# A client may have so many; the others come from the next address.
EACH = 40
TALK = b"NOOP " + b"a" * 400


class Loris:
    """Half of the sessions say nothing at all, half a byte of a command in turn, for ever."""

    def __init__(self, port, count):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, count + 1000)), hard))
        self.sockets = []
        self.greeted = 0
        self.refused = []
        self.is_over = threading.Event()
        self.selector = selectors.DefaultSelector()
        for number in range(count):
            connection = socket.socket()
            connection.bind((f"127.{1 + number // EACH // 200}.{1 + number // EACH % 200}.7", 0))
            connection.connect(("127.0.0.1", port))
            connection.setblocking(False)
            self.sockets.append(connection)
            self.selector.register(connection, selectors.EVENT_READ)
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.listen, self.trickle)]
        for thread in self.threads:
            thread.start()

    def listen(self):
        while not self.is_over.is_set():
            for key, _ in self.selector.select(0.2):
                try:
                    data = key.fileobj.recv(4096)
                except OSError:
                    data = b""
                if data.startswith(b"220"):
                    self.greeted += 1
                elif not data or not data.startswith(b"250"):
                    self.refused.append(data)
                    self.selector.unregister(key.fileobj)

    def trickle(self):
        """Each of them a byte in ten seconds."""
        at = 0
        talkers = self.sockets[::2]
        while not self.is_over.wait(10 / max(len(talkers), 1)):
            connection = talkers[at % len(talkers)]
            try:
                connection.send(TALK[at // len(talkers) % len(TALK):][:1])
            except OSError:
                pass
            at += 1

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()
        for connection in self.sockets:
            connection.close()
        self.selector.close()


def relay_and_sink():
    sink = Sink()
    relay = Relay(sink.port, settings={"smtpd_client_connection_count_limit": "50", "smtpd_timeout": "3600s",
                                       "smtpd_session_limit": str(max(COUNT * 2, 1000))})
    return relay, sink


def send(relay, count, tag):
    """Messages a second of `count` good ones, each answered 250."""
    began = time.monotonic()
    source(relay, "--messages", count, "--sessions", 20, "--size", 4096, "--tag", tag)
    return count / (time.monotonic() - began)


def test_good_mail_goes_on_beside_them():
    if MEASURE:
        return
    relay, sink = relay_and_sink()
    before = relay.children()
    loris = Loris(relay.port, COUNT)
    wait_until(lambda: loris.greeted == COUNT, 60, "every one of them to be greeted")
    send(relay, 1000, "good")
    wait_until(lambda: len(sink.tags()) >= 1000, 60, "all good mail")
    assert not loris.refused, loris.refused[:3]
    assert sorted(set(sink.tags())) == sorted(sink.tags()), "something came twice"
    loris.stop()
    relay.wait_queue_empty()
    assert relay.children() == before


def test_measure():
    if not MEASURE:
        return
    relay, sink = relay_and_sink()
    send(relay, 5000, "warm")
    rates = {"without": [], "with": []}
    for number in range(5):
        rates["without"].append(send(relay, 10_000, f"a{number}"))
        loris = Loris(relay.port, COUNT)
        wait_until(lambda: loris.greeted == COUNT, 120, "every one of them to be greeted")
        rates["with"].append(send(relay, 10_000, f"b{number}"))
        assert not loris.refused, loris.refused[:3]
        loris.stop()
        wait_until(lambda: len(sink.tags()) >= 5000 + (number + 1) * 20_000, 120, "all good mail")
        print(f"  messages/s without {rates['without'][-1]:.0f}, with {COUNT} of them {rates['with'][-1]:.0f}", flush=True)
    ratio = statistics.median(w / o for w, o in zip(rates["with"], rates["without"]))
    print(f"  median of the rounds' ratios: {ratio:.2f}")
    assert ratio >= 0.9, rates


main(globals())
