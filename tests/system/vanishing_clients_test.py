#!/usr/bin/python3
"""Clients that hang up, crash or fall silent at every point: nothing half is delivered, what was answered 250 is, and the
places they held are free again."""

import time

from harness import Relay, Smtp, main, wait_until
from receivers import AioReceiver

STEPS = [b"", b"EHL", b"EHLO client.test\r\n", b"MAIL FROM:<a@sender.test>\r\n", b"RCPT TO:<b@dest.test>\r\n", b"DATA\r\n",
         b"Subject: never\r\n", b"\r\nhalf a bo", b"dy\r\n", b"."]


def play(smtp, upto):
    """Says STEPS up to a step, hearing each whole command's reply."""
    smtp.hear()
    for step in STEPS[:upto]:
        if step in (b"EHL",):
            continue
        smtp.say(step)
        if step.endswith(b"\r\n") and step[:4] in (b"EHLO", b"MAIL", b"RCPT", b"DATA"):
            smtp.hear()


def test_a_client_that_leaves_at_any_point_leaves_nothing_behind():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    pids = relay.children()
    for leave in (Smtp.close, Smtp.reset):
        for upto in range(len(STEPS) + 1):
            smtp = Smtp(relay.port)
            play(smtp, upto)
            leave(smtp)
    # And in a chunk.
    smtp = Smtp(relay.port)
    smtp.greet()
    smtp.envelope()
    smtp.say(b"BDAT 100 LAST\r\nSubject: never")
    smtp.reset()
    relay.send(b"Subject: real\r\n\r\nreal\r\n")
    assert [m.body for m in receiver.wait()] == [b"real\r\n"]
    relay.wait_queue_empty()
    relay.wait_log("lost connection after DATA")
    relay.wait_log("lost connection after RCPT")
    assert relay.children() == pids


def test_a_client_that_leaves_without_hearing_its_250():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    for leave in (Smtp.close, Smtp.reset):
        count = len(receiver.messages)
        smtp = Smtp(relay.port)
        smtp.greet()
        smtp.envelope()
        smtp.ask("DATA")
        smtp.say(b"Subject: whole\r\n\r\nwhole\r\n.\r\n")
        leave(smtp)
        if leave is Smtp.close:
            receiver.wait(count + 1)        # it was whole, so it goes on
    relay.wait_queue_empty()
    assert all(m.body == b"whole\r\n" for m in receiver.messages)


def test_silence_ends_with_421():
    relay = Relay(AioReceiver().port, settings={"smtpd_timeout": "2s"})
    silent = [Smtp(relay.port) for _ in range(5)]
    for upto, smtp in zip((0, 3, 5, 6, 8), silent):
        play(smtp, upto)
    for smtp in silent:
        assert smtp.hear().startswith("421 4.4.2"), "no 421"
        assert smtp.is_over()
    relay.wait_log("timeout after")


def test_a_client_that_drips_does_not_live_for_ever():
    relay = Relay(AioReceiver().port, settings={"smtpd_timeout": "2s"})
    smtp = Smtp(relay.port)
    smtp.hear()
    began = time.monotonic()
    try:
        while time.monotonic() - began < 20:
            smtp.say(b"N")                  # never a line end
            time.sleep(0.2)
            smtp.socket.settimeout(0.01)
            try:
                if smtp.socket.recv(100):
                    break
            except TimeoutError:
                pass
            smtp.socket.settimeout(20)
        else:
            raise AssertionError("a client may hold a session by a byte a while")
    except OSError:
        pass
    assert time.monotonic() - began < 20


def test_a_reader_that_does_not_read_is_given_up():
    relay = Relay(AioReceiver().port, settings={"smtpd_timeout": "2s", "smtpd_junk_command_limit": "1000000"})
    smtp = Smtp(relay.port)
    smtp.greet()                            # who has not said EHLO may not pipeline, and is sent away
    smtp.socket.settimeout(0.5)
    sent = 0
    try:
        while sent < 64 << 20:              # replies pile up: the server stops reading, not growing
            sent += smtp.socket.send(b"RSET\r\n" * 1000)
    except OSError:                         # it does not take more, or has hung up
        pass
    assert sent < 64 << 20, "64 MiB of commands were taken without their replies being read"
    wait_until(lambda: "timeout after" in relay.log() or "lost connection" in relay.log(), 30, "the end of the session")
    relay.send()


def test_hundreds_of_silent_clients_do_not_keep_others_out():
    receiver = AioReceiver()
    relay = Relay(receiver.port, settings={"smtpd_client_connection_count_limit": "0"})
    idle = [Smtp(relay.port) for _ in range(500)]
    for smtp in idle:
        assert smtp.hear().startswith("220")
    relay.send()
    receiver.wait()
    for smtp in idle:
        smtp.close()


main(globals())
