"""One measured run of a relay between Debian's smtp-source and smtp-sink, and the scenarios the benchmarks share."""

import os
import statistics
import subprocess
import time

from accounting import box_busy_us
from relays import wait_for

# name, sessions, bytes, recipients, messages for us, messages for Postfix (a rate needs no equal counts, a run some seconds)
SCENARIOS = [
    ("20 sessions, 4 KiB, 1 recipient", 20, 4096, 1, 60000, 5000),
    ("20 sessions, 64 KiB, 1 recipient", 20, 65536, 1, 12000, 3000),
    ("20 sessions, 4 KiB, 50 recipients", 20, 4096, 50, 12000, 2000),
    ("200 sessions, 4 KiB, 1 recipient", 200, 4096, 1, 60000, 5000),
]


def one_run(relay, sink, sessions, size, recipients, messages, timeout_s=180):
    before = sink.messages()
    cpu, (busy, steal) = relay.group.cpu_us(), box_busy_us()
    began = time.monotonic()
    subprocess.run(["/usr/sbin/smtp-source", "-d", "-s", str(sessions), "-m", str(messages), "-l", str(size),
                    "-r", str(recipients), "-f", "sender@source.test", "-t", "recipient@dest.test",
                    f"127.0.0.1:{relay.port}"], check=True, timeout=timeout_s, capture_output=True)
    accepted_s = time.monotonic() - began
    wait_for(lambda: sink.messages() - before >= messages, timeout_s, f"{relay.name} to deliver {messages} messages")
    seconds = time.monotonic() - began
    busy_after, steal_after = box_busy_us()
    time.sleep(0.2)     # what the last message leaves to do is part of its cost
    return {"messages": messages, "seconds": seconds, "rate": messages / seconds, "accept_rate": messages / accepted_s,
            "cpu_us": (relay.group.cpu_us() - cpu) / messages,
            "box_us": (busy_after - busy) / messages, "stolen": (steal_after - steal) / (seconds * 1e6 * os.cpu_count())}


def drained(relay):
    wait_for(lambda: relay.queued() == 0, 60, f"{relay.name}'s queue to be empty")


def median(runs, key):
    return statistics.median(run[key] for run in runs)
