"""A graceful stop under load: everything under way is finished and recorded, so that nothing is lost, nothing is delivered twice
by the relay that starts afterwards, and nobody has to be killed for not finishing.
"""

import collections
import os
import smtplib
import subprocess
import tempfile
import threading

from harness import SOURCE, Relay, Sink, main, wait_until

MESSAGES = 3000
PARTED_MESSAGES = 600


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


def send_parted(relay, name, acked, count):
    """Messages to both destinations, over and over, whatever becomes of the connection."""
    client = None
    number = 0
    while len(acked) < count:
        tag = f"{name}-{number}"
        number += 1
        try:
            if client is None:
                client = smtplib.SMTP("127.0.0.1", relay.port, "client.test", timeout=30)
            refused = client.sendmail("sender@sender.test", ["a@quick.test", "b@slow.test"],
                                      f"X-Test-Tag: {tag}\r\nSubject: parted\r\n\r\nhello\r\n")
            assert not refused, refused
            acked.append(tag)
        except (smtplib.SMTPException, OSError):
            client = None


def test_stop_while_messages_are_delivered_in_part_doubles_neither_part():
    quick, slow = Sink(), Sink("--final-delay-ms", 20)
    relay = Relay(settings={"transport_maps": f"inline:{{quick.test=smtp:[127.0.0.1]:{quick.port},"
                                              f"slow.test=smtp:[127.0.0.1]:{slow.port}}}",
                            "smtp_destination_concurrency_limit": "2"})
    acked = [[] for _ in range(4)]
    clients = [threading.Thread(target=send_parted, args=(relay, f"c{i}", acked[i], PARTED_MESSAGES // 4), daemon=True)
               for i in range(4)]
    for client in clients:
        client.start()
    for share in (8, 4, 2):
        wait_until(lambda: len(quick.tags()) >= PARTED_MESSAGES // share, 60, "mail to flow")
        relay.stop()
        relay.start()
    for client in clients:
        client.join(120)
    sent = {tag for tags in acked for tag in tags}
    assert len(sent) == PARTED_MESSAGES
    for sink in (quick, slow):
        wait_until(lambda: sent <= set(sink.tags()), 60, "every acknowledged message at both destinations")
    relay.wait_queue_empty()
    for sink in (quick, slow):
        twice = [tag for tag, times in collections.Counter(sink.tags()).items() if times > 1]
        assert not twice, f"{len(twice)} delivered twice"


main(globals())
