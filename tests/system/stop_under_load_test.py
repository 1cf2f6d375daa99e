"""A graceful stop under load: everything under way is finished and recorded, so that nothing is lost, nothing is delivered twice
by the relay that starts afterwards, and nobody has to be killed for not finishing.
"""

import collections
import os
import subprocess
import tempfile

from harness import SOURCE, Relay, Sink, main, wait_until

MESSAGES = 3000


def test_stop_under_load_doubles_nothing():
    sink = Sink()
    relay = Relay(sink.port, settings={"smtpd_client_connection_count_limit": "0"})
    acked = tempfile.mktemp(prefix="posthaste-acked-", dir="/var/tmp")
    load = subprocess.Popen([SOURCE, "--server", f"127.0.0.1:{relay.port}", "--messages", str(MESSAGES), "--sessions", "20",
                             "--acked", acked, "--timeout-s", "120"], stdout=subprocess.PIPE, text=True)
    try:
        for share in (8, 4, 2):
            wait_until(lambda: len(sink.tags()) >= MESSAGES // share, 60, "mail to flow")
            relay.stop()
            relay.start()
        load.communicate(timeout=150)
    finally:
        if load.poll() is None:
            load.kill()
            load.wait()
    with open(acked) as f:
        sent = [line.strip() for line in f if line.endswith("\n")]
    os.unlink(acked)
    wait_until(lambda: set(sent) <= set(sink.tags()), 60, "every acknowledged message to arrive")
    relay.wait_queue_empty()
    twice = [tag for tag, count in collections.Counter(sink.tags()).items() if count > 1]
    log = relay.log()
    assert "killed by signal" not in log and "did not finish" not in log, log[-3000:]
    assert not twice, f"{len(twice)} delivered twice"


main(globals())
