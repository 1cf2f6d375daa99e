#!/usr/bin/python3
"""Postfix's smtp-sink refuses, hangs up and is old-fashioned at every step of the conversation: nothing is lost, and what
was refused for now arrives later."""

from harness import Relay, main, wait_until
from receivers import PostfixSink

# Steps at which a server may fail, and what the log then says of the step ("" = no reply to name).
STEPS = ["connect", "mail", "rcpt", "data", "."]
QUICK = {"minimal_backoff_time": "1h", "maximal_backoff_time": "1h"}      # only a flush retries within the test


def deferred_then_delivered(option, steps, expected_reply):
    sink = PostfixSink()
    relay = Relay(sink.port, settings=QUICK)
    for count, step in enumerate(steps, 1):
        sink.restart(option, step)
        queue_id = relay.send(f"Subject: {option} {step}\r\n\r\nbody\r\n")
        line = relay.wait_log(rf"^.*{queue_id}: to=<someone@dest\.test>.*status=(\w+) \((.*)\)$")
        assert line.group(1) == "deferred", (step, line.group(0))
        assert expected_reply in line.group(2), (step, line.group(0))
        relay.wait_deferred(1)
        sink.restart()
        relay.flush()
        relay.wait_log(rf"{queue_id}: to=.*status=sent")
        relay.wait_log(rf"{queue_id}: removed")
        assert any(f"Subject: {option} {step}" in m for m in sink.wait(count)), (step, sink.messages())
        assert not relay.queue()


def test_refused_for_now_at_every_step():
    deferred_then_delivered("-r", STEPS, "450 4.3.0 Error: command failed")


def test_hung_up_on_at_every_step():
    deferred_then_delivered("-q", STEPS, "lost connection")


def test_sent_away_with_421_at_every_step():
    deferred_then_delivered("-Q", [s for s in STEPS if s != "connect"], "421")


def test_refused_for_good_at_every_step_is_kept_with_its_reason():
    sink = PostfixSink()
    relay = Relay(sink.port)
    for count, step in enumerate(["mail", "rcpt", "data", "."], 1):
        sink.restart("-f", step)
        queue_id = relay.send()
        line = relay.wait_log(rf"^.*{queue_id}: to=<someone@dest\.test>.*status=(\w+) \((.*)\)$")
        assert line.group(1) == "bounced" and "500 5.3.0" in line.group(2), (step, line.group(0))
        # Until there are bounces nobody would hear of it: the message stays where an administrator sees it.
        held = wait_until(lambda: [m for m in relay.queue() if m["queue_name"] == "hold" and m["queue_id"] == queue_id],
                          what="the message in hold")
        assert "500 5.3.0" in held[0]["recipients"][0]["delay_reason"], held
        assert len(relay.queue()) == count


def test_servers_without_esmtp_or_pipelining_or_8bitmime():
    sink = PostfixSink()
    relay = Relay(sink.port)
    for count, options in enumerate((["-e"], ["-p"], ["-8"], ["-E"], ["-r", "ehlo"], ["-f", "ehlo"], ["-e", "-f", "ehlo"]), 1):
        sink.restart(*options)
        queue_id = relay.send(f"Subject: {' '.join(options)}\r\n\r\nbody\r\n")
        relay.wait_log(rf"{queue_id}: to=.*status=sent")
        assert len(sink.wait(count)) == count


def test_a_mixed_answer_delivers_to_those_who_can_be_delivered():
    # 421 to RCPT hits the whole session; a soft answer only that recipient: smtp-sink cannot tell recipients apart,
    # so the whole message comes back later, once.
    sink = PostfixSink("-r", "rcpt")
    relay = Relay(sink.port, settings=QUICK)
    queue_id = relay.send(recipients=[f"r{i}@dest.test" for i in range(10)])
    wait_until(lambda: len(relay.queue()) == 1 and len(relay.queue()[0]["recipients"]) == 10 and
               all("450" in r.get("delay_reason", "") for r in relay.queue()[0]["recipients"]), what="ten reasons")
    sink.restart()
    relay.flush()
    relay.wait_log(rf"{queue_id}: removed")
    recipients = [line for m in sink.wait() for line in m.splitlines() if line.startswith("X-Rcpt-Args")]
    assert len(recipients) == 10, recipients


def test_a_slow_server_does_not_hold_up_others():
    slow, quick = PostfixSink("-w", "20"), PostfixSink()
    relay = Relay(settings={"transport_maps": f"inline:{{ slow.test=smtp:[127.0.0.1]:{slow.port}, quick.test=smtp:[127.0.0.1]:{quick.port} }}"})
    for i in range(10):
        relay.send(recipients=[f"a{i}@slow.test"])
    for i in range(10):
        relay.send(recipients=[f"a{i}@quick.test"])
    quick.wait(10, seconds=15)
    assert not slow.messages() or len(slow.messages()) < 10


main(globals())
