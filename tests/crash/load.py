"""Mail that keeps flowing while something is done to the relay, and the account of it afterwards.

Three clients of different manners send tagged messages to two destinations, each to a sink of its own; a client that has sent
its share comes again, as clients do. What was answered 250 is on record, and so is every arrival; account() holds the two
against each other: everything acknowledged has arrived, and how much arrived twice.
"""

import collections
import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system"))
from harness import SOURCE, Relay, Sink, remember_to, scratch_directory, wait_until  # noqa: E402

# Connections to the two sinks at a time (default_destination_concurrency_limit). Of the messages on one, a single one can have been
# delivered without a report: the next body waits for its answer.
LANES = 20 * 2

CLIENTS = {
    "plain": ["--sessions", "8", "--size", "1500", "--domain", "a.test", "--messages", "800"],
    "pipelining": ["--sessions", "8", "--size", "5000", "--domain", "b.test", "--messages", "800", "--pipelining"],
    "large": ["--sessions", "2", "--size", "150000", "--domain", "b.test", "--messages", "40"],
}


class Arrivals:
    """What a sink has recorded, read on from where we were."""

    def __init__(self, sink):
        self.sink = sink
        self.read_to = 0
        self.counts = collections.Counter()

    def look(self):
        if os.path.exists(self.sink.record):
            with open(self.sink.record, "rb") as f:
                f.seek(self.read_to)
                whole = f.read()
            whole = whole[:whole.rfind(b"\n") + 1]
            self.read_to += len(whole)
            self.counts.update(line.rsplit(b" ", 2)[0] for line in whole.splitlines())
        return self.counts


class Load:
    def __init__(self, settings=None, clients=CLIENTS, routes=None, start=True):
        """`routes`: further domains and the ports where their mail goes. Without `start` the relay is only configured."""
        sinks = [Sink(), Sink()]
        self.arrivals = [Arrivals(sink) for sink in sinks]
        self.clients = clients
        ways = {"b.test": sinks[1].port, **(routes or {})}
        transports = ", ".join(f"{domain}=smtp:[127.0.0.1]:{port}" for domain, port in ways.items())
        self.relay = Relay(sinks[0].port, start=start, settings={
            # Our clients ask again at once, which costs the pause of those who make errors.
            "smtpd_client_connection_count_limit": "0", "smtpd_error_sleep_time": "0", "transport_maps": f"inline:{{{transports}}}", **(settings or {})})
        self.acked = scratch_directory("acked")  # a file for each client
        self.threads = []
        self.stopping = threading.Event()
        self.runs = 0
        self.failed = None
        remember_to(self.stopping.set)

    def start(self):
        self.stopping.clear()
        self.threads = [threading.Thread(target=self.keep_sending, args=options, daemon=True) for options in self.clients.items()]
        for thread in self.threads:
            thread.start()

    def keep_sending(self, name, options):
        while not self.stopping.is_set():
            self.runs += 1
            self.send(name, f"{name}.{self.runs}", *options)

    def send(self, client, tag, *options):
        """One visit of a client."""
        visit = subprocess.run([SOURCE, "--server", f"127.0.0.1:{self.relay.port}", "--tag", tag, "--acked", os.path.join(self.acked, client),
                                "--timeout-s", "120", *options], stdout=subprocess.DEVNULL, check=False)
        if visit.returncode not in (0, 1):  # 1: the relay did not take all of it in time
            self.failed = f"{' '.join(visit.args)}: {visit.returncode}"
            self.stopping.set()

    def stop(self):
        """Lets the clients finish what they are at."""
        self.stopping.set()
        for thread in self.threads:
            thread.join(150)
            assert not thread.is_alive(), "a client still waits for its answers"
        self.threads = []
        assert not self.failed, self.failed

    def arrived(self):
        return sum(len(arrivals.look()) for arrivals in self.arrivals)

    def wait_for_more(self, count=50, seconds=60, what="mail to flow on"):
        """Mail that had not arrived before arrives: the house is at work."""
        before = self.arrived()
        wait_until(lambda: self.arrived() >= before + count, seconds, what)

    def acknowledged(self):
        tags = set()
        for client in os.listdir(self.acked):
            with open(os.path.join(self.acked, client), "rb") as f:
                whole = f.read()
            tags.update(whole[:whole.rfind(b"\n") + 1].splitlines())
        return tags

    def missing(self):
        return self.acknowledged() - set().union(*(arrivals.look() for arrivals in self.arrivals))

    def duplicates(self):
        return sum(sum(arrivals.look().values()) - len(arrivals.look()) for arrivals in self.arrivals)

    def account(self, what, duplicates_before, duplicates_max):
        """Stops the clients, waits for what was acknowledged, and returns the number of duplicates so far."""
        self.stop()
        sent = len(self.acknowledged())
        try:
            wait_until(lambda: not self.missing(), 120, "what was acknowledged to arrive")
        except AssertionError:
            raise AssertionError(f"{what}: {len(self.missing())} of {sent} acknowledged messages did not arrive, such as "
                                 f"{sorted(self.missing())[:5]}; the queue holds {len(self.relay.queue())}") from None
        self.relay.wait_queue_empty()
        duplicates = self.duplicates()
        now = duplicates - duplicates_before
        print(f"        {what}: {sent} acknowledged in all, every one arrived; {now} twice (at most {duplicates_max} were in flight)",
              flush=True)
        assert now <= duplicates_max, f"{what}: {now} duplicates"
        return duplicates
