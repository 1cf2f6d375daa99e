#!/usr/bin/python3
"""Two relays side by side on one machine, one handing over to the other: neither knows of the other's processes."""

from harness import Relay, main, wait_until
from receivers import AioReceiver


def test_mail_passes_through_both_and_one_may_stop():
    receiver = AioReceiver()
    second = Relay(receiver.port, settings={"myhostname": "second.test"})
    first = Relay(second.port, settings={"myhostname": "first.test"})
    first_id = first.send(b"Subject: through two\r\n\r\nbody\r\n")
    message = receiver.wait()[0]
    assert message.body == b"body\r\n" and len(message.fields("Received")) == 2, message.header
    first.wait_log(rf"{first_id}: to=.*status=sent \(250 2\.0\.0 Ok: .*queued as \w+\)")
    assert not set(sum(first.children().values(), [])) & set(sum(second.children().values(), []))

    first.stop()
    assert not first.is_running() and second.is_running()
    second.send(b"Subject: still there\r\n\r\nmore\r\n")
    receiver.wait(2)
    first.start()
    first.send(b"Subject: back\r\n\r\nback\r\n")
    receiver.wait(3)
    for relay in (first, second):
        relay.wait_queue_empty()


def test_two_of_the_same_name_may_follow_each_other():
    receiver = AioReceiver()
    second = Relay(receiver.port, settings={"myhostname": "same.test"})
    first = Relay(second.port, settings={"myhostname": "same.test"})
    first.send(b"Subject: through a filter\r\n\r\nbody\r\n")
    assert len(receiver.wait()[0].fields("Received")) == 2


def test_a_relay_that_is_its_own_next_hop_stops_after_some_hops():
    relay = Relay(start=False)
    relay.configure({"relayhost": f"[127.0.0.1]:{relay.port}", "hopcount_limit": "8"})
    relay.start()
    relay.send()
    relay.wait_log(r"to=.*dsn=5\.4\.0, status=bounced \(.*too many hops")
    wait_until(lambda: [m["queue_name"] for m in relay.queue()] == ["hold"], what="the message in hold")


def test_a_loop_between_two_ends():
    first = Relay(start=False)
    second = Relay(first.port, settings={"hopcount_limit": "8", "myhostname": "second.test"})
    first.configure({"relayhost": f"[127.0.0.1]:{second.port}", "hopcount_limit": "8", "myhostname": "first.test"})
    first.start()
    first.send()
    for relay in (first, second):
        relay.wait_log("to=<someone@dest.test>")
    # The one that counts the ninth Received: refuses it; the other keeps the message with that reason.
    held = wait_until(lambda: [m for r in (first, second) for m in r.queue() if m["queue_name"] == "hold"], what="hold")
    assert len(held) == 1 and "5.4.0" in held[0]["recipients"][0]["delay_reason"], held


main(globals())
