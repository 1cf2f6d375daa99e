"""Each service, and master itself, is killed with SIGKILL while mail flows: every message that was answered 250 arrives.

Duplicates are allowed (a report or a reply died with the process) but bounded by what can have been in flight: the
messages on lanes for the agents, what was delivered and not yet recorded for store and qmgr. The count is printed.
"""

import collections
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system"))
from harness import SOURCE, Relay, Sink, main, wait_until  # noqa: E402

MESSAGES = int(os.environ.get("POSTHASTE_CRASH_MESSAGES", "4000"))
SESSIONS = 20
IN_FLIGHT_MAX = 2000


def tags_in(path):
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return [line.strip() for line in f if line.endswith("\n")]


def under_load(harm):
    """Runs `harm(relay, progress)` while messages are sent; progress() is how many the sink has. Checks the promise."""
    sink = Sink()
    relay = Relay(sink.port, settings={"smtpd_client_connection_count_limit": "0"})
    acked = tempfile.mktemp(prefix="posthaste-acked-", dir="/var/tmp")
    load = subprocess.Popen([SOURCE, "--server", f"127.0.0.1:{relay.port}", "--messages", str(MESSAGES), "--sessions", str(SESSIONS),
                             "--acked", acked, "--timeout-s", "120"], stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: len(sink.tags()) >= MESSAGES // 10, 60, "mail to flow")
        deaths = harm(relay, lambda: len(sink.tags()))
        said, _ = load.communicate(timeout=150)
    finally:
        if load.poll() is None:
            load.kill()
            load.wait()
    sent = tags_in(acked)
    assert len(sent) >= MESSAGES * 9 // 10, f"too few accepted: {said}"
    wait_until(lambda: set(sent) <= set(sink.tags()), 90,
               f"{len(set(sent) - set(sink.tags()))} acknowledged messages to arrive; {len(sink.tags())} did")
    relay.wait_queue_empty()
    counts = collections.Counter(sink.tags())
    duplicates = sum(count - 1 for count in counts.values())
    print(f"        {len(sent)} acknowledged, {len(counts)} arrived, {duplicates} duplicates, {deaths} deaths", flush=True)
    assert duplicates <= IN_FLIGHT_MAX * deaths
    os.unlink(acked)


def kill_each_process_of(program):
    def harm(relay, progress):
        deaths = 0
        for pid in relay.children()[program]:
            begun = progress()
            os.kill(pid, signal.SIGKILL)
            deaths += 1
            # back within a bound, and mail flows on, before the next dies
            wait_until(lambda: pid not in relay.children().get(program, []), 20, f"{program} {pid} to be reaped")
            wait_until(lambda: len(relay.children().get(program, [])) > 0, 20, f"{program} to be back")
            wait_until(lambda: progress() > begun or progress() >= MESSAGES, 30, "mail to flow on")
        return deaths
    return harm


def test_smtpd_is_killed():
    under_load(kill_each_process_of("smtpd"))


def test_cleanup_is_killed():
    under_load(kill_each_process_of("cleanup"))


def test_store_is_killed():
    under_load(kill_each_process_of("store"))


def test_qmgr_is_killed():
    under_load(kill_each_process_of("qmgr"))


def test_smtp_is_killed():
    under_load(kill_each_process_of("smtp"))


def test_rewrite_is_killed():
    under_load(kill_each_process_of("trivial-rewrite"))


def test_postlogd_is_killed():
    under_load(kill_each_process_of("postlogd"))


def test_master_is_killed_and_started_again():
    def harm(relay, progress):
        children = relay.children()
        master = children["master"][0]
        os.kill(master, signal.SIGKILL)
        # its children notice and drain; nothing is left of them before a new one starts
        orphans = [pid for program, pids in children.items() if program != "master" for pid in pids]
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in orphans), 60, "the orphans to drain")
        # in master's order: nobody waited for one that had gone already
        assert "giving up" not in relay.log(), relay.log()[-3000:]
        relay.start()
        return 1
    under_load(harm)


def test_everything_is_killed_at_once():
    def harm(relay, progress):
        for pids in relay.children().values():
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
        relay.start()
        return 1
    under_load(harm)


main(globals())
