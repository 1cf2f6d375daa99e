#!/usr/bin/python3
"""Each service killed once, the relay idle: it comes back by itself and mail flows. (tests/crash does it under load.)"""

from harness import Relay, Smtp, is_alive, main, wait_until
from receivers import AioReceiver

SERVICES = ["smtpd", "cleanup", "store", "qmgr", "trivial-rewrite", "smtp", "postlogd"]


def sendable(relay):
    """Sends one message, trying again while the killed service is on its way: 4xx and lost connections are allowed."""
    def once():
        try:
            return relay.send()
        except (AssertionError, OSError):
            return None
    return wait_until(once, 60, "a message to be accepted again")


def test_each_service_comes_back():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    sendable(relay)
    receiver.wait(1)
    for count, service in enumerate(SERVICES, 2):
        killed = set(relay.kill(service))
        wait_until(lambda: set(relay.children().get(service, [])) and not killed & set(relay.children().get(service, [])),
                   60, f"a new {service}")
        queue_id = sendable(relay)
        receiver.wait(count, 60)
        relay.wait_log(rf"{queue_id}: removed", 60)
        assert relay.is_running()
    relay.wait_queue_empty()


def test_a_client_in_the_middle_hears_an_honest_answer():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    for service in ("cleanup", "store"):
        smtp = Smtp(relay.port)
        smtp.greet()
        smtp.envelope()
        assert smtp.ask("DATA").startswith("354")
        smtp.say(f"Subject: caught by {service}\r\n\r\n")
        killed = set(relay.kill(service))
        reply = smtp.ask(b"body\r\n.\r\n")
        # Either it was not taken, and says so; or the new process took it.
        assert reply[:3] in ("250", "451", "421"), (service, reply)
        smtp.close()
        if reply.startswith("250"):
            wait_until(lambda: any(f"Subject: caught by {service}".encode() in message.content for message in receiver.messages),
                       30, "the message that was taken to arrive")
        wait_until(lambda: set(relay.children().get(service, [])) and not killed & set(relay.children().get(service, [])),
                   60, f"a new {service}")
        sendable(relay)


def test_children_end_when_master_is_killed():
    relay = Relay(AioReceiver().port)
    children = relay.children()
    relay.kill("master")

    wait_until(lambda: not any(map(is_alive, sum(children.values(), []))), 30, "the children to end")
    relay.start()
    relay.send()


main(globals())
