#!/usr/bin/python3
"""SMTP smuggling: whatever line ends surround a dot, one message never becomes two, here or at the next server."""

import itertools

from harness import Relay, Smtp, main
from receivers import AioReceiver

INNER = b"MAIL FROM:<smuggled@evil.test>%sRCPT TO:<victim@dest.test>%sDATA%sSubject: smuggled%s%sevil%s.%s"
LINE_ENDS = [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\r\0\n"]


def fake_ends():
    """Everything that somebody may take for <CRLF>.<CRLF> and that is not."""
    return [before + b"." + after for before, after in itertools.product(LINE_ENDS, LINE_ENDS)
            if (before, after) != (b"\r\n", b"\r\n")
            # <CR><CR><LF>.<CR><LF> holds the real end.
            and not (before + b"." + after).endswith(b"\r\n.\r\n")]


def test_no_fake_end_of_data_splits_a_message():
    receiver = AioReceiver()
    relay = Relay(receiver.port, settings={"smtpd_forbid_bare_newline_exclusions": ""})
    ends = fake_ends()
    assert len(ends) > 20
    for count, end in enumerate(ends, 1):
        line_end = b"\n" if b"\n" in end else b"\r"
        smtp = Smtp(relay.port)
        smtp.greet()
        smtp.envelope()
        assert smtp.ask("DATA").startswith("354")
        smtp.say(b"Subject: outer\r\n\r\nbefore" + end + INNER % ((line_end,) * 7) + b"\r\n.\r\nQUIT\r\n")
        assert "queued as" in smtp.hear(), end
        assert smtp.hear().startswith("221"), (end, "more replies than commands: it was split")
        smtp.close()
        message = receiver.wait(count)[count - 1]
        assert message.sender == "sender@sender.test" and message.recipients == ["someone@dest.test"], end
        # On the way out there is no lone CR or LF that the next server could misread.
        body = message.body
        assert b"\n" not in body.replace(b"\r\n", b"") and b"\r" not in body.replace(b"\r\n", b""), (end, body)
        assert b"Subject: smuggled" in body, (end, body)
    assert len(receiver.messages) == len(ends)


def test_the_same_in_chunks():
    receiver = AioReceiver()
    relay = Relay(receiver.port, settings={"smtpd_forbid_bare_newline_exclusions": ""})
    for count, end in enumerate(fake_ends() + [b"\r\n.\r\n"], 1):
        line_end = b"\n" if b"\n" in end else b"\r"
        content = b"Subject: outer\r\n\r\nbefore" + end + INNER % ((line_end,) * 7)
        smtp = Smtp(relay.port)
        smtp.greet()
        smtp.envelope()
        assert "queued as" in smtp.ask(b"BDAT %d LAST\r\n" % len(content) + content), end
        smtp.close()
        receiver.wait(count)
        assert receiver.messages[-1].recipients == ["someone@dest.test"]
    assert len(receiver.messages) == len(fake_ends()) + 1


def test_reject_refuses_the_whole_message_and_stays_in_step():
    receiver = AioReceiver()
    relay = Relay(receiver.port, settings={"smtpd_forbid_bare_newline": "reject", "smtpd_forbid_bare_newline_exclusions": ""})
    smtp = Smtp(relay.port)
    smtp.greet()
    smtp.envelope()
    smtp.ask("DATA")
    reply = smtp.ask(b"Subject: x\r\n\r\na\nb\n.\r\nNOOP\r\n\r\n.\r\n")
    assert reply.startswith("550 5.5.2"), reply
    relay.send(b"Subject: clean\r\n\r\nclean\r\n")
    assert len(receiver.wait()) == 1 and receiver.messages[0].body == b"clean\r\n"


def test_sending_ahead_is_refused_where_it_is_forbidden():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    # Behind DATA, before 354: either an attack or a client that would lose the end of its message.
    smtp = Smtp(relay.port)
    smtp.greet()
    smtp.envelope()
    reply = smtp.ask(b"DATA\r\nSubject: too early\r\n\r\nx\r\n.\r\n")
    assert reply.startswith("554 5.5.0"), reply
    assert smtp.is_over()
    # Behind EHLO.
    smtp = Smtp(relay.port)
    smtp.hear()
    assert smtp.ask(b"EHLO client.test\r\nMAIL FROM:<a@b.test>\r\n").startswith("554 5.5.0")
    relay.wait_log("improper command pipelining after DATA")
    relay.wait_log("improper command pipelining after EHLO")
    assert not receiver.messages


main(globals())
