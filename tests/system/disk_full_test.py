#!/usr/bin/python3
"""Before the disk is full mail is refused for now, with Postfix's answer, while what is queued is still delivered.

The disk is not filled: the floor is lifted above what is free."""

from harness import Relay, Smtp, main, wait_until
from receivers import AioReceiver


def answer_to_mail(relay):
    smtp = Smtp(relay.port)
    smtp.greet()
    reply = smtp.ask("MAIL FROM:<a@sender.test>")
    if reply.startswith("250"):
        reply = smtp.ask("RCPT TO:<b@dest.test>")
    if reply.startswith("250"):
        reply = smtp.ask("DATA")
    if reply.startswith("354"):
        reply = smtp.ask("Subject: x\r\n\r\nx\r\n.")
    smtp.close()
    return reply


def test_below_the_floor_nothing_is_accepted_and_everything_delivered():
    receiver = AioReceiver()
    receiver.stop()
    relay = Relay(receiver.port, settings={"minimal_backoff_time": "1h", "maximal_backoff_time": "1h"})
    for _ in range(5):
        relay.send()
    relay.wait_deferred(5)
    relay.reload({"store_free_space_floor": "900000G"})
    wait_until(lambda: answer_to_mail(relay).startswith("452 4.3.1"), 30, "452 4.3.1")
    status = relay.posthaste("status", check=False)
    assert status.returncode == 2 and status.stdout.startswith("warning: mail is refused (452 4.3.1): "), status.stdout
    receiver = AioReceiver(port=receiver.port)
    relay.flush()
    wait_until(lambda: len(receiver.messages) >= 5, 30, "the queue to be worked off")
    relay.reload({"store_free_space_floor": "1M"})
    wait_until(lambda: answer_to_mail(relay).startswith("250"), 30, "mail to be accepted again")
    relay.wait_queue_empty()


main(globals())
