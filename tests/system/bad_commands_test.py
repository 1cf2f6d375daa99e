#!/usr/bin/python3
"""Malformed commands, absurd lengths, NULs, truncated chunks: each gets its answer, the next client gets service, and no
process dies."""

import os
import random
import signal

from harness import Relay, Smtp, main
from receivers import AioReceiver


class Watched:
    """A relay whose processes must be the same at the end as at the beginning."""

    def __init__(self, **settings):
        self.receiver = AioReceiver()
        self.relay = Relay(self.receiver.port, settings={"smtpd_hard_error_limit": "1000", "smtpd_error_sleep_time": "0",
                                                         "smtpd_forbid_bare_newline_exclusions": "", **settings})
        self.relay.send(b"Subject: before\r\n\r\nbefore\r\n")
        self.receiver.wait()
        self.pids = self.relay.children()

    def session(self):
        smtp = Smtp(self.relay.port)
        smtp.greet()
        return smtp

    def assert_well(self):
        count = len(self.receiver.messages)
        self.relay.send(b"Subject: after\r\n\r\nafter\r\n")
        self.receiver.wait(count + 1)
        assert self.relay.children() == self.pids, (self.pids, self.relay.children())
        assert "panic" not in self.relay.log() and "fatal" not in self.relay.log()


def test_each_malformed_command_has_its_answer():
    watched = Watched()
    smtp = watched.session()
    for line, code in (
            (b"", "500"), (b" ", "500"), (b"\0", "500"), (b"MAIL\0FROM:<a@b.test>", "500"), (b"FOO", "500"), (b"MAIL", "501"),
            (b"MAIL FROM", "501"), (b"MAIL FROM:", "501"), (b"MAIL TO:<a@b.test>", "501"), (b"MAIL FROM:<a@b.test", "501"),
            (b"MAIL FROM:<<a@b.test>", "501"), (b"MAIL FROM:<a,c@d.test>", "501"), (b"MAIL FROM:<a b@c.test>", "501"),
            (b"MAIL FROM:<\"a@b.test>", "501"), (b"MAIL FROM:<a@b.test> SIZE=x", "501"), (b"MAIL FROM:<a@b.test> SIZE=-1", "501"),
            (b"MAIL FROM:<a@b.test> SIZE=99999999999999999999999", "5"), (b"MAIL FROM:<a@b.test> FOO=BAR", "555"),
            (b"MAIL FROM:<a@b.test> BODY=9BIT", "555"), (b"MAIL FROM:<a@b.test> RET=MAYBE", "501"),
            (b"RCPT TO:<a@b.test>", "503"), (b"DATA", "503"), (b"DATA now", "50"), (b"RSET now", "501"), (b"EHLO", "501"),
            (b"VRFY", "501"), (b"\xff\xfe\xfd", "500"), (b"AUTH PLAIN AAAA", "503"), (b"XCLIENT NAME=evil", "5"), (b"HELP", "")):
        reply = smtp.ask(line + b"\r\n")
        assert reply.startswith(code) and reply[0] in "245", (line, reply)
    assert smtp.ask("MAIL FROM:<a@b.test>").startswith("250")
    for line, code in ((b"MAIL FROM:<a@b.test>", "503"), (b"RCPT", "501"), (b"RCPT TO:", "501"), (b"RCPT TO:<>", "501"),
                       (b"RCPT TO:<a@b.test> NOTIFY=NEVER,SUCCESS", "501"), (b"RCPT TO:<a@b.test> ORCPT=nonsense", "501"),
                       (b"RCPT TO:<\0@b.test>", "500"), (b"DATA", "554")):
        reply = smtp.ask(line + b"\r\n")
        assert reply.startswith(code), (line, reply)
    assert smtp.ask("RCPT TO:<a@b.test>").startswith("250") and smtp.ask("QUIT").startswith("221")
    watched.assert_well()


def test_absurd_lengths():
    watched = Watched()
    smtp = watched.session()
    for line in (b"x" * 10_000, b"MAIL FROM:<" + b"a" * 3000 + b"@b.test>", b"EHLO " + b"y" * 100_000, b"NOOP " + b"\0" * 5000,
                 b"RCPT TO:<" + b"(" * 4000, b"MAIL FROM:<a@b.test> ENVID=" + b"+41" * 2000):
        assert smtp.ask(line + b"\r\n").startswith("5"), line[:40]
    assert smtp.ask("NOOP").startswith("250"), "out of step"
    assert smtp.ask("MAIL FROM:<a@b.test>").startswith("250")
    assert smtp.ask(b"RCPT TO:<" + b"a" * 600 + b"@b.test>\r\n").startswith("501")
    smtp.close()
    # A line without end: memory stays bounded, the session ends or waits, others are served.
    endless = watched.session()
    try:
        for _ in range(200):
            endless.say(b"z" * 65536)
    except OSError:
        pass
    watched.assert_well()
    endless.close()


def test_truncated_and_nonsensical_chunks():
    watched = Watched()
    for argument in (b"", b"x", b"-1", b"99999999999999999999999999", b"5 LATE", b"5 LAST LAST", b"0x10 LAST"):
        smtp = watched.session()
        smtp.envelope()
        reply = smtp.ask(b"BDAT " + argument + b"\r\n")
        assert reply[0] in "45", (argument, reply)
        smtp.close()
    # Fewer octets than announced, then silence and the end of the connection: nothing is delivered.
    smtp = watched.session()
    smtp.envelope()
    smtp.say(b"BDAT 1000 LAST\r\nSubject: cut off\r\n\r\n")
    smtp.close()
    # Chunks out of order, before RCPT: octets are read all the same, so that the next command is found.
    smtp = watched.session()
    assert smtp.ask(b"BDAT 10\r\n0123456789").startswith("503")
    assert smtp.ask("RSET").startswith("250")
    smtp.envelope()
    assert smtp.ask(b"BDAT 10\r\nSubject: x").startswith("250")
    assert smtp.ask("DATA").startswith("503") and smtp.ask("RCPT TO:<a@b.test>").startswith("503")
    assert smtp.ask("RSET").startswith("250")
    smtp.close()
    watched.assert_well()
    assert len(watched.receiver.messages) == 2, "a truncated message was delivered"


def test_other_protocols_are_sent_away():
    watched = Watched()
    for line in (b"GET / HTTP/1.1\r\n", b"POST /x HTTP/1.0\r\n", b"CONNECT mail.test:25 HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\r\n",
                 b"Host: example.test\r\n"):
        smtp = Smtp(watched.relay.port)
        smtp.hear()
        reply = smtp.ask(line)
        assert reply.startswith(("221", "500", "554", "421")), (line, reply)
        smtp.close()
    watched.assert_well()


def test_noise():
    seed = random.randrange(1 << 32)
    print("seed", seed)
    dice = random.Random(seed)
    watched = Watched()
    words = [b"MAIL FROM:", b"RCPT TO:", b"DATA", b"BDAT ", b"RSET", b"EHLO x", b"<a@b.test>", b"\r\n", b"\n", b"\r", b"\0", b".\r\n",
             b" ", b"\xff", b"LAST", b"10", b"SIZE=", b"<", b">", b"\"", b"\\", b"A" * 100]
    for _ in range(100):
        smtp = Smtp(watched.relay.port)
        try:
            smtp.say(b"".join(dice.choice(words) for _ in range(dice.randrange(1, 200))))
        except OSError:
            pass
        smtp.close() if dice.random() < 0.7 else smtp.reset()
    watched.assert_well()


def test_who_speaks_before_the_greeting_is_sent_away():
    watched = Watched()
    pids = watched.relay.kill("smtpd", signal.SIGSTOP)       # so that the bytes are there before it looks
    try:
        smtp = Smtp(watched.relay.port)
        smtp.say(b"EHLO client.test\r\n")
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert smtp.hear().startswith("554 5.5.0 Error: SMTP protocol synchronization")
    watched.relay.wait_log(r"improper command pipelining after CONNECT from \S+\[127\.0\.0\.1\]")
    watched.assert_well()


main(globals())
