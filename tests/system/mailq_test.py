#!/usr/bin/python3
"""The queue as administrators see it: postqueue -p and -j, mailq, and a flush that tries everything again."""

import re
import subprocess

from harness import MAILQ, Relay, main, run, wait_until
from receivers import AioReceiver


def relay_to_nobody():
    """A relay whose next hop is down, and the port where it may come up."""
    receiver = AioReceiver()
    receiver.stop()
    return Relay(receiver.port, settings={"minimal_backoff_time": "1h", "maximal_backoff_time": "1h"}), receiver.port


def test_an_empty_queue_says_so():
    relay, _ = relay_to_nobody()
    assert relay.mailq() == "Mail queue is empty\n"
    assert relay.queue() == []


def test_the_list_is_postfixs():
    relay, _ = relay_to_nobody()
    ids = [relay.send(sender="a@sender.test", recipients=["x@dest.test", "y@dest.test"]), relay.send(sender="")]
    relay.wait_deferred(2)
    out = relay.mailq()
    assert out == run(MAILQ, "-c", relay.directory).stdout
    lines = out.splitlines()
    assert lines[0] == "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------", out
    for queue_id, sender in zip(ids, (r"a@sender\.test", "MAILER-DAEMON")):
        row = next(line for line in lines if line.startswith(queue_id))
        assert re.fullmatch(rf"{queue_id} +\d+ [A-Z][a-z]{{2}} [A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d +{sender}", row), row
    assert sum("Connection refused" in line for line in lines) == 2, out     # once a message: the reason is the same
    for recipient in ("x@dest.test", "y@dest.test", "someone@dest.test"):
        assert sum(re.fullmatch(rf" +{re.escape(recipient)}", line) is not None for line in lines) == 1, out
    assert re.fullmatch(r"-- \d+ Kbytes in 2 Requests\.", lines[-1]), out


def test_the_json_is_postfixs():
    relay, _ = relay_to_nobody()
    queue_id = relay.send(recipients=["x@dest.test"])
    relay.wait_deferred(1)
    message = relay.queue()[0]
    assert message["queue_name"] == "deferred" and message["queue_id"] == queue_id, message
    assert message["sender"] == "sender@sender.test" and message["forced_expire"] is False, message
    assert isinstance(message["arrival_time"], int) and message["message_size"] > 0, message
    recipient = message["recipients"][0]
    assert recipient["address"] == "x@dest.test" and "Connection refused" in recipient["delay_reason"], message


def test_a_flush_delivers_what_waits():
    relay, port = relay_to_nobody()
    for _ in range(20):
        relay.send()
    relay.wait_deferred(20)
    receiver = AioReceiver(port=port)
    relay.flush()
    receiver.wait(20)
    relay.wait_queue_empty()
    assert relay.mailq() == "Mail queue is empty\n"


def test_postqueue_flushes_too():
    relay, port = relay_to_nobody()
    relay.send()
    relay.wait_deferred(1)
    receiver = AioReceiver(port=port)
    relay.mailq("-f")
    receiver.wait()
    relay.wait_queue_empty()


def test_a_list_longer_than_any_buffer():
    relay, _ = relay_to_nobody()
    recipients = [f"recipient-with-a-long-name-{i}@dest.test" for i in range(500)]
    for _ in range(10):
        relay.send(recipients=recipients)
    wait_until(lambda: sum(len(m["recipients"]) for m in relay.queue()) == 5000, 60, "5000 recipients in the list")
    assert relay.mailq().count("recipient-with-a-long-name-") == 5000


def test_a_reader_that_leaves_harms_nobody():
    relay, _ = relay_to_nobody()
    for _ in range(20):
        relay.send(recipients=[f"r{i}@dest.test" for i in range(500)])
    wait_until(lambda: len(relay.queue()) == 20, what="20 messages in the list")
    pids = relay.children()
    for _ in range(5):
        reader = subprocess.Popen([MAILQ, "-c", relay.directory], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        reader.stdout.read(100)
        reader.stdout.close()
        reader.kill()
        reader.wait()
    assert len(relay.queue()) == 20 and relay.children() == pids


main(globals())
