#!/usr/bin/python3
"""Python's smtplib, and its socket where smtplib cannot say it: the extensions one by one."""

import smtplib

from harness import Relay, Smtp, main
from receivers import AioReceiver, PostfixSink

SENDER, RECIPIENT = "sender@sender.test", "friend@dest.test"


def client(relay):
    smtp = smtplib.SMTP("127.0.0.1", relay.port, "client.test", timeout=30)
    smtp.ehlo()
    return smtp


def test_what_is_announced_and_what_is_refused_politely():
    relay = Relay(AioReceiver().port)
    with client(relay) as smtp:
        for extension in ("pipelining", "size", "8bitmime", "smtputf8", "enhancedstatuscodes", "dsn", "chunking"):
            assert smtp.has_extn(extension), (extension, smtp.esmtp_features)
        assert smtp.esmtp_features["size"] == relay.value("message_size_limit")
        assert smtp.verify(RECIPIENT)[0] == 252
        assert smtp.docmd("ETRN", "dest.test")[0] in (458, 459, 500, 502)
        assert smtp.docmd("EXPN", "list")[0] in (500, 502)
        assert smtp.docmd("NONSENSE")[0] in (500, 502)
        assert smtp.docmd("STARTTLS")[0] in (454, 500, 502)
        assert smtp.noop()[0] == 250 and smtp.rset()[0] == 250
        assert smtp.docmd("RCPT", "TO:<a@dest.test>")[0] == 503
        assert smtp.docmd("DATA")[0] == 503


def test_many_messages_over_one_connection():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    with client(relay) as smtp:
        for i in range(50):
            smtp.sendmail(SENDER, [RECIPIENT], f"Subject: {i}\r\n\r\nbody {i}\r\n")
    bodies = sorted(m.body for m in receiver.wait(50))
    assert bodies == sorted(b"body %d\r\n" % i for i in range(50))
    ids = {m.fields("Received")[0].split(" id ")[1].split(";")[0].split()[0] for m in receiver.messages}
    assert len(ids) == 50, "a queue id came twice"


def test_internationalized_addresses():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    with client(relay) as smtp:
        smtp.sendmail("jos\u00e9@sender.test", ["gr\u00fc\u00dfe@dest.test"], "Subject: \u00fcber\r\n\r\nutf8\r\n".encode(),
                      mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    message = receiver.wait()[0]
    assert message.sender == "jos\u00e9@sender.test" and message.recipients == ["gr\u00fc\u00dfe@dest.test"]
    assert "SMTPUTF8" in message.mail_options, message.mail_options
    assert message.fields("Subject") == ["\u00fcber"]


def test_mail_that_needs_smtputf8_does_not_go_to_a_server_without():
    receiver = AioReceiver(smtputf8=False)
    relay = Relay(receiver.port)
    with client(relay) as smtp:
        smtp.sendmail("jos\u00e9@sender.test", [RECIPIENT], b"Subject: x\r\n\r\nx\r\n", mail_options=["SMTPUTF8"])
    relay.wait_log(r"dsn=5\.6\.7, status=bounced")
    assert not receiver.messages


def test_eight_bits_pass():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    body = bytes(range(0x80, 0x100)) + b"\r\n"
    with client(relay) as smtp:
        smtp.sendmail(SENDER, [RECIPIENT], b"Subject: bits\r\n\r\n" + body, mail_options=["BODY=8BITMIME"])
    message = receiver.wait()[0]
    assert message.body == body and "BODY=8BITMIME" in message.mail_options, message.mail_options


def test_a_whole_conversation_in_one_packet():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    smtp = Smtp(relay.port)
    smtp.greet()
    smtp.say("".join(f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{r}>\r\nRCPT TO:<also@dest.test>\r\nRSET\r\n" for r in ("x@dest.test", "y@dest.test"))
             + f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nDATA\r\n")
    replies = [smtp.hear()[:3] for _ in range(11)]
    assert replies == ["250"] * 10 + ["354"], replies
    # The end of the message and the next one's commands together.
    smtp.say("Subject: 1\r\n\r\nfirst\r\n.\r\n" f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nDATA\r\n")
    assert [smtp.hear()[:3] for _ in range(4)] == ["250", "250", "250", "354"]
    smtp.say("Subject: 2\r\n\r\nsecond\r\n.\r\nQUIT\r\n")
    assert [smtp.hear()[:3] for _ in range(2)] == ["250", "221"] and smtp.is_over()
    assert sorted(m.body for m in receiver.wait(2)) == [b"first\r\n", b"second\r\n"]


def test_one_byte_at_a_time():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    smtp = Smtp(relay.port)
    smtp.greet()
    smtp.socket.setsockopt(6, 1, 1)     # TCP_NODELAY
    for piece in (f"MAIL FROM:<{SENDER}>\r\n", f"RCPT TO:<{RECIPIENT}>\r\n", "DATA\r\n", "Subject: slow\r\n\r\n..dot\r\n.\r\n"):
        for byte in piece:
            smtp.say(byte)
        assert smtp.hear()[0] in "23"
    assert receiver.wait()[0].body == b".dot\r\n"


def test_chunks_with_anything_in_them():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    smtp = Smtp(relay.port)
    smtp.greet()
    smtp.envelope()
    chunks = [b"Subject: chunks\r\n\r\n", b".\r\n.leading dots\r\n..\r\n", b"cut in a CR\r", b"\nlast\r\n"]
    for chunk in chunks[:-1]:
        assert smtp.ask(b"BDAT %d\r\n" % len(chunk) + chunk).startswith(f"250 2.0.0 Ok: {len(chunk)} bytes")
    reply = smtp.ask(b"BDAT %d LAST\r\n" % len(chunks[-1]) + chunks[-1])
    assert "queued as" in reply, reply
    assert receiver.wait()[0].body == b".\r\n.leading dots\r\n..\r\ncut in a CR\r\nlast\r\n", receiver.messages[0].body
    # All of it in one packet, with an empty last chunk.
    smtp.say(b"MAIL FROM:<a@sender.test>\r\nRCPT TO:<b@dest.test>\r\nBDAT 14\r\nSubject: x\r\n\r\nBDAT 6\r\nbody\r\nBDAT 0 LAST\r\n")
    replies = [smtp.hear() for _ in range(5)]
    assert all(r.startswith("250") for r in replies), replies
    assert receiver.wait(2)[1].body == b"body\r\n"


def test_a_message_without_end_of_line_gets_one():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    smtp = Smtp(relay.port)
    smtp.greet()
    smtp.envelope()
    assert "queued as" in smtp.ask(b"BDAT 21 LAST\r\nSubject: cut\r\n\r\nno nl")
    assert receiver.wait()[0].body == b"no nl\r\n"


def test_delivery_notices_are_asked_for_further_on():
    sink = PostfixSink()
    relay = Relay(sink.port)
    relay.send(mail_options=["RET=HDRS", "ENVID=QQ314159+2B1"],
               rcpt_options=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Friend+2Bx@dest.test"])
    dump = sink.wait()[0]
    for parameter in ("RET=HDRS", "ENVID=QQ314159+2B1", "NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Friend+2Bx@dest.test"):
        assert parameter in dump, dump


def test_without_dsn_at_the_next_server_the_mail_goes_all_the_same():
    sink = PostfixSink("-N")
    relay = Relay(sink.port)
    relay.send(mail_options=["RET=HDRS"], rcpt_options=["NOTIFY=NEVER"])
    assert "NOTIFY" not in sink.wait()[0]


main(globals())
