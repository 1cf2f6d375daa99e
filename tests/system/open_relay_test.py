#!/usr/bin/python3
"""Strangers may send to our relay domains and nowhere else, however they write it. A stranger is 127.0.0.2 here."""

from harness import Relay, Smtp, main, wait_until
from receivers import AioReceiver

STRANGER = "127.0.0.2"


def relay_for(receiver, **settings):
    return Relay(receiver.port, settings={"mynetworks": "127.0.0.1/32", "relay_domains": "ours.test", **settings})


def answer(relay, recipient, source, helo="EHLO client.test"):
    smtp = Smtp(relay.port, source=source)
    smtp.hear()
    smtp.ask(helo)
    assert smtp.ask("MAIL FROM:<a@sender.test>").startswith("250")
    reply = smtp.ask(f"RCPT TO:{recipient}")
    smtp.close()
    return reply


def test_a_stranger_reaches_our_domains_only():
    receiver = AioReceiver()
    relay = relay_for(receiver)
    for recipient in ("<a@ours.test>", "<a@OURS.Test>", "<a@sub.ours.test>", "<postmaster>"):
        assert answer(relay, recipient, STRANGER).startswith("250"), recipient
    for recipient in ("<a@elsewhere.test>", "<a@ours.test.evil.test>", "<a@notours.test>", "<a%elsewhere.test@ours.test>",
                      "<elsewhere.test!a@ours.test>", "<\"a@elsewhere.test\"@ours.test>", "<@ours.test:a@elsewhere.test>",
                      "<a@elsewhere.test@ours.test>", "<a@[192.0.2.1]>", "<a@192.0.2.1>", "a@elsewhere.test", "< a@elsewhere.test>",
                      "<a@elsewhere.test.>"):
        reply = answer(relay, recipient, STRANGER)
        assert reply[0] in "45", (recipient, reply)
    reply = answer(relay, "<a@elsewhere.test>", STRANGER)
    assert reply.startswith("454 4.7.1 <a@elsewhere.test>: Relay access denied"), reply
    relay.wait_log(r"NOQUEUE: reject: RCPT from \S+\[127\.0\.0\.2\]: 454 4\.7\.1 .*from=<a@sender\.test> to=<a@elsewhere\.test> "
                   r"proto=ESMTP helo=<client\.test>")


def test_the_same_client_on_our_network_may():
    relay = relay_for(AioReceiver())
    assert answer(relay, "<a@elsewhere.test>", "127.0.0.1").startswith("250")


def test_reject_unauth_destination_says_no_for_good():
    relay = relay_for(AioReceiver(), smtpd_relay_restrictions="permit_mynetworks, reject_unauth_destination")
    assert answer(relay, "<a@elsewhere.test>", STRANGER).startswith("554 5.7.1")
    assert answer(relay, "<a@ours.test>", STRANGER).startswith("250")


def test_a_strangers_mail_to_us_arrives():
    receiver = AioReceiver()
    relay = relay_for(receiver)
    smtp = Smtp(relay.port, source=STRANGER)
    smtp.greet()
    smtp.envelope(recipient="a@ours.test")
    assert smtp.ask("RCPT TO:<b@elsewhere.test>")[0] in "45"
    assert smtp.ask("DATA").startswith("354")
    assert smtp.ask("Subject: in\r\n\r\nin\r\n.").startswith("250")
    assert receiver.wait()[0].recipients == ["a@ours.test"]


def test_claims_change_nothing():
    relay = relay_for(AioReceiver())
    for helo in ("EHLO [127.0.0.1]", "EHLO localhost", "HELO ours.test"):
        assert answer(relay, "<a@elsewhere.test>", STRANGER, helo)[0] in "45", helo
    smtp = Smtp(relay.port, source=STRANGER)
    smtp.greet()
    assert smtp.ask("XCLIENT ADDR=127.0.0.1")[0] == "5"
    assert smtp.ask("XFORWARD ADDR=127.0.0.1")[0] == "5"
    smtp.ask("MAIL FROM:<a@ours.test>")
    assert smtp.ask("RCPT TO:<a@elsewhere.test>")[0] in "45"


def test_a_network_that_is_taken_away_holds_after_a_reload():
    relay = Relay(AioReceiver().port, settings={"mynetworks": "127.0.0.0/8"})
    assert answer(relay, "<a@elsewhere.test>", STRANGER).startswith("250")
    relay.reload({"mynetworks": "127.0.0.1/32"})
    wait_until(lambda: answer(relay, "<a@elsewhere.test>", STRANGER)[0] == "4", what="the new mynetworks")


main(globals())
