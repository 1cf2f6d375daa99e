#!/usr/bin/python3
"""What a client hands over arrives with the same body, byte for byte, at a server of another make."""

import random

from harness import Relay, main, wait_until
from receivers import AioReceiver

HEADER = b"From: sender@sender.test\r\nSubject: to the byte\r\nMessage-ID: <1@sender.test>\r\nDate: Sun, 22 Nov 2026 07:30:00 +0000\r\n"

BODIES = {
    "empty": b"",
    "one dot": b".\r\n",
    "only dots": b".\r\n..\r\n...\r\n.\r\n",
    "dots at line starts": b".a\r\n..b\r\n. \r\nc.\r\n",
    "empty lines": b"\r\n\r\n\r\n",
    "no empty line lost at the end": b"text\r\n\r\n\r\n",
    "blanks at line ends": b"text  \r\n\t\r\n \r\n",
    "looks like a header": b"Received: from nowhere\r\nBcc: someone@dest.test\r\n\r\nFrom here on\r\n",
    "looks like mbox": b"From someone Sun Nov 22 07:30:00 2026\r\n>From here\r\n",
    "looks like SMTP": b"QUIT\r\nRSET\r\nMAIL FROM:<evil@sender.test>\r\n",
    "line of 998": b"x" * 998 + b"\r\n",
    "every byte but NUL, CR and LF": bytes(b for b in range(1, 256) if b not in (10, 13)) + b"\r\n",
    "nul bytes": b"a\0b\0\0\r\n\0\r\n",
    "utf-8": "gr\u00fc\u00dfe \u4f60\u597d \U0001f4ec\r\n".encode(),
    "just over a block of memory": b"0123456789abcde\r\n" * 1000,
    "big": (b"line of a big message with some text in it, so that it looks like one\r\n" * 60000),
}


def test_bodies_arrive_to_the_byte():
    receiver = AioReceiver()
    relay = Relay(receiver.port, settings={"message_size_limit": "20000000"})
    for name, body in BODIES.items():
        before = len(receiver.messages)
        relay.send(HEADER + b"\r\n" + body, mail_options=["BODY=8BITMIME"])
        message = receiver.wait(before + 1)[before]
        assert message.body == body, (name, len(body), len(message.body), message.body[:200])
        assert message.header.endswith(HEADER), (name, message.header)


def test_random_bodies_arrive_to_the_byte():
    seed = random.randrange(1 << 32)
    print("seed", seed)
    dice = random.Random(seed)
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    for count in range(1, 41):
        lines = [bytes(dice.choice(b".. \tabc\x00\x7f\xff=") for _ in range(dice.randrange(0, 200)))
                 for _ in range(dice.randrange(0, 60))]
        body = b"".join(line + b"\r\n" for line in lines)
        relay.send(HEADER + b"\r\n" + body, mail_options=["BODY=8BITMIME"])
        assert receiver.wait(count)[count - 1].body == body, f"seed {seed}, message {count}"


def test_the_header_stays_and_ours_comes_before_it():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    header = HEADER + (b"Received: from elsewhere by there; Sun, 22 Nov 2026 07:29:00 +0000\r\n"
                       b"X-Folded: one\r\n two\r\n\tthree\r\nx-Case:no blank\r\nX-Long: " + b"y" * 900 + b"\r\n")
    relay.send(header + b"\r\nbody\r\n")
    arrived = receiver.wait()[0].header
    assert arrived.endswith(header), arrived
    added = arrived[:-len(header)]
    assert added.startswith(b"Received: from client.test ("), added


def test_a_message_without_header_or_body():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    relay.send(b"")
    message = receiver.wait()[0]
    assert message.fields("Received"), message.content
    relay.send(b"this is no header field\r\nmore\r\n")
    assert receiver.wait(2)[1].body == b"this is no header field\r\nmore\r\n", receiver.messages[1].content


def test_overlong_lines_are_broken_unless_told_otherwise():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    body = b"a" * 5000 + b"\r\n"
    relay.send(HEADER + b"\r\n" + body)
    lines = receiver.wait()[0].body.split(b"\r\n")
    assert max(map(len, lines)) <= 998, [len(line) for line in lines]
    assert b"".join(lines[:1] + [line[1:] for line in lines[1:]]) == body.strip(), "what was broken does not add up"
    relay.reload({"smtp_line_length_limit": "0"})

    # Agents hear of it one after the other, and are not replaced.
    def arrives_whole():
        count = len(receiver.messages) + 1
        relay.send(HEADER + b"\r\n" + body)
        return receiver.wait(count)[count - 1].body == body

    wait_until(arrives_whole, 30, "a long line to arrive whole")


def test_bcc_goes_and_the_rest_of_the_header_stays():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    relay.send(b"Bcc: secret@dest.test\r\nReturn-Path: <x@y.test>\r\nContent-Length: 3\r\n" + HEADER + b"\r\nbody\r\n")
    message = receiver.wait()[0]
    for name in ("Bcc", "Return-Path", "Content-Length"):
        assert not message.fields(name), message.header
    assert message.fields("Subject") == ["to the byte"]


main(globals())
