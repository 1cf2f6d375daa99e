#!/usr/bin/python3
"""msmtp, which users and cron jobs have as their sendmail, hands messages over."""

import subprocess

from harness import Relay, main, tool
from receivers import AioReceiver, PostfixSink


def msmtp(relay, message, *options):
    command = [tool("msmtp"), "--file=/dev/null", "--host=127.0.0.1", f"--port={relay.port}", "--tls=off", "--auth=off",
               "--domain=client.test", "--from=sender@sender.test", *options]
    result = subprocess.run(command, input=message, capture_output=True, timeout=60)
    assert result.returncode == 0, (result.returncode, result.stderr)


def test_with_recipients_from_the_header():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    msmtp(relay, b"From: sender@sender.test\nTo: a@dest.test\nCc: b@dest.test\nBcc: c@dest.test\nSubject: copies\n\nbody\n", "-t")
    message = receiver.wait()[0]
    assert sorted(message.recipients) == ["a@dest.test", "b@dest.test", "c@dest.test"], message.recipients
    assert message.body == b"body\r\n" and not message.fields("Bcc"), message.content


def test_what_the_header_lacks_is_completed():
    receiver = AioReceiver()
    relay = Relay(receiver.port, settings={"always_add_missing_headers": "yes"})
    msmtp(relay, b"Subject: bare\n\nbody\n", "--set-from-header=off", "--set-date-header=off", "--set-msgid-header=off",
          "a@dest.test")
    message = receiver.wait()[0]
    for name in ("From", "Date", "Message-ID"):
        assert len(message.fields(name)) == 1, (name, message.header)
    assert "sender@sender.test" in message.fields("From")[0]


def test_delivery_notices_are_asked_for_further_on():
    sink = PostfixSink()
    relay = Relay(sink.port)
    msmtp(relay, b"Subject: notify me\n\nbody\n", "--dsn-notify=failure,delay", "--dsn-return=hdrs", "a@dest.test")
    dump = sink.wait()[0]
    assert "RET=HDRS" in dump and "NOTIFY=" in dump and "FAILURE" in dump and "DELAY" in dump, dump


main(globals())
