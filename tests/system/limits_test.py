#!/usr/bin/python3
"""The limits a client runs into, each with Postfix's name and answer."""

import time

from harness import Relay, Smtp, main
from receivers import AioReceiver


def session(relay, source=None):
    smtp = Smtp(relay.port, source=source)
    smtp.greet()
    return smtp


def test_message_size_limit_by_announcement_and_by_count():
    receiver = AioReceiver()
    relay = Relay(receiver.port, settings={"message_size_limit": "10000"})
    smtp = session(relay)
    assert smtp.ask("MAIL FROM:<a@sender.test> SIZE=10001").startswith("552 5.3.4")
    smtp.ask("MAIL FROM:<a@sender.test> SIZE=10000")
    smtp.ask("RCPT TO:<b@dest.test>")
    smtp.ask("DATA")
    # It lied. The message is read to its end, so that the next command is found.
    assert smtp.ask(b"Subject: big\r\n\r\n" + b"x" * 70 * 1000 + b"\r\n.\r\n").startswith("552 5.3.4")
    smtp.envelope()
    assert smtp.ask(b"BDAT 20000 LAST\r\n" + b"y" * 20000).startswith("552 5.3.4")
    smtp.ask("RSET")
    smtp.envelope()
    smtp.ask("DATA")
    assert smtp.ask("Subject: small\r\n\r\nsmall\r\n.").startswith("250")
    assert [m.body for m in receiver.wait()] == [b"small\r\n"]


def test_smtpd_recipient_limit():
    receiver = AioReceiver()
    relay = Relay(receiver.port, settings={"smtpd_recipient_limit": "5", "smtpd_recipient_overshoot_limit": "3",
                                           "smtpd_hard_error_limit": "2", "smtpd_error_sleep_time": "0"})
    smtp = session(relay)
    smtp.ask("MAIL FROM:<a@sender.test>")
    replies = [smtp.ask(f"RCPT TO:<r{i}@dest.test>")[:9] for i in range(8)]
    assert replies == ["250 2.1.5"] * 5 + ["452 4.5.3"] * 3, replies
    assert smtp.ask("DATA").startswith("354") and smtp.ask("Subject: x\r\n\r\nx\r\n.").startswith("250")
    assert len(receiver.wait()[0].recipients) == 5


def test_errors_slow_a_client_down_and_then_end_it():
    relay = Relay(AioReceiver().port, settings={"smtpd_soft_error_limit": "3", "smtpd_hard_error_limit": "6",
                                                "smtpd_error_sleep_time": "1s"})
    smtp = session(relay)
    began = time.monotonic()
    replies = [smtp.ask("NONSENSE") for _ in range(6)]
    assert all(r.startswith("500") for r in replies), replies
    assert smtp.hear().startswith("421 4.7.0"), "no 421 behind the last error"
    assert smtp.is_over()
    assert time.monotonic() - began >= 2, "errors beyond the soft limit are not slowed down"
    relay.wait_log("too many errors after")


def test_smtpd_junk_command_limit():
    relay = Relay(AioReceiver().port, settings={"smtpd_junk_command_limit": "5", "smtpd_hard_error_limit": "3",
                                                "smtpd_error_sleep_time": "0"})
    smtp = session(relay)
    for _ in range(50):
        reply = smtp.ask("NOOP")
        if not reply.startswith("250"):
            break
    assert reply.startswith("421") or reply == "", reply


def test_smtpd_client_connection_count_limit():
    relay = Relay(AioReceiver().port, settings={"smtpd_client_connection_count_limit": "3", "mynetworks": "127.0.0.1/32",
                                                "worker_processes": "1"})
    stranger = [Smtp(relay.port, source="127.0.0.2") for _ in range(5)]
    greetings = [s.hear()[:3] for s in stranger]
    assert greetings.count("220") == 3 and greetings.count("421") == 2, greetings
    # Our own network is excepted.
    own = [Smtp(relay.port) for _ in range(6)]
    assert [s.hear()[:3] for s in own] == ["220"] * 6
    stranger[0].close()
    for smtp in stranger[1:] + own:
        smtp.close()


def test_hopcount_limit():
    receiver = AioReceiver()
    relay = Relay(receiver.port, settings={"hopcount_limit": "3"})
    smtp = session(relay)
    smtp.envelope()
    smtp.ask("DATA")
    hops = "".join(f"Received: from h{i} by h{i + 1}; Sun, 22 Nov 2026 07:30:00 +0000\r\n" for i in range(4))
    assert smtp.ask(hops + "\r\nloop\r\n.").startswith("554 5.4.0")
    assert not receiver.messages


def test_header_size_limit_cuts_and_does_not_break():
    receiver = AioReceiver()
    relay = Relay(receiver.port, settings={"header_size_limit": "1000"})
    relay.send(b"Subject: fine\r\nX-Huge: " + b"h" * 900 + b"".join(b"\r\n " + b"h" * 900 for _ in range(50)) + b"\r\n\r\nbody\r\n")
    message = receiver.wait()[0]
    assert message.body == b"body\r\n" and message.fields("Subject") == ["fine"]
    assert len(message.fields("X-Huge")[0]) <= 2000, len(message.fields("X-Huge")[0])


main(globals())
