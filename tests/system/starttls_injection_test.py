#!/usr/bin/python3
"""STARTTLS, while there is none: refused, never promised, and what is sent right behind it is read as what it is, plain SMTP of
this session; no byte of it lies in a buffer to be taken for something else later."""

from harness import Relay, Smtp, main
from receivers import AioReceiver


def test_it_is_neither_offered_nor_given():
    relay = Relay(1)
    smtp = Smtp(relay.port)
    assert "STARTTLS" not in smtp.greet()
    assert smtp.ask("STARTTLS").startswith("502 5.5.1")
    assert smtp.ask("STARTTLS now").startswith("50")
    # The session is what it was.
    smtp.envelope()
    assert smtp.ask("STARTTLS").startswith("502 5.5.1")
    assert smtp.ask("RSET").startswith("250")


def test_what_is_sent_behind_it_is_no_surprise_later():
    """The attack: commands in the same packet as STARTTLS, for the server to run as if they had come encrypted."""
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    injected = b"STARTTLS\r\nMAIL FROM:<injected@evil.test>\r\nRCPT TO:<victim@dest.test>\r\n"
    for cut in range(1, len(injected)):
        smtp = Smtp(relay.port)
        smtp.greet()
        smtp.say(injected[:cut])
        smtp.say(injected[cut:])
        replies = smtp.hear()
        if replies.startswith("554 5.5.0"):             # it came as one, and sending ahead is forbidden here
            assert smtp.is_over()
            continue
        assert replies.startswith("502 5.5.1"), (cut, replies)
        smtp.close()
    assert not receiver.messages
    # Whoever answers the refusal with a TLS hello anyway is heard as nonsense and loses the connection.
    smtp = Smtp(relay.port)
    smtp.greet()
    smtp.ask("STARTTLS")
    smtp.say(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2 + b"\r\n" * 40)
    heard = []
    while True:
        reply = smtp.hear()
        if not reply:
            break
        heard.append(reply[:3])
    assert heard and not any(code.startswith(("2", "3")) for code in heard), heard
    relay.send()
    receiver.wait()


main(globals())
