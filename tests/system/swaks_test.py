#!/usr/bin/python3
"""swaks, the mail tester's tool, hands messages over; aiosmtpd receives them."""

from harness import Relay, main, run, tool
from receivers import AioReceiver


def swaks(relay, *options, check=True):
    return run(tool("swaks"), "--server", f"127.0.0.1:{relay.port}", "--from", "sender@sender.test", "--helo", "client.test",
               *options, check=check)


def test_a_message_arrives_as_it_was_sent():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    out = swaks(relay, "--to", "friend@dest.test", "--header", "Subject: from swaks", "--body", "one line").stdout
    assert "250 2.0.0 Ok: queued as " in out, out
    message = receiver.wait()[0]
    assert message.sender == "sender@sender.test" and message.recipients == ["friend@dest.test"]
    assert message.fields("Subject") == ["from swaks"]
    assert message.body.startswith(b"one line\r\n"), message.body
    received = message.fields("Received")
    assert len(received) == 1 and "from client.test" in received[0] and "with ESMTP" in received[0], received


def test_pipelined_with_an_attachment_to_many():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    recipients = [f"r{i}@dest.test" for i in range(20)]
    swaks(relay, "--to", ",".join(recipients), "--pipeline", "--attach", "@" + __file__)
    message = receiver.wait()[0]
    assert sorted(message.recipients) == sorted(recipients), message.recipients
    assert b"swaks_test.py" in message.body


def test_by_plain_smtp_with_helo():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    swaks(relay, "--to", "friend@dest.test", "--protocol", "SMTP")
    received = receiver.wait()[0].fields("Received")[0]
    assert "with SMTP id" in " ".join(received.split()), received


def test_the_empty_sender_goes_through():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    swaks(relay, "--to", "friend@dest.test", "--from", "<>")
    assert receiver.wait()[0].sender == ""


def test_a_refusal_reaches_the_client():
    relay = Relay(AioReceiver().port, settings={"message_size_limit": "2000"})
    result = swaks(relay, "--to", "friend@dest.test", "--body", "x" * 4000, check=False)
    assert result.returncode != 0 and " 552 5.3.4 " in result.stdout, result.stdout


main(globals())
