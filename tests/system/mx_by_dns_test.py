#!/usr/bin/python3
"""Where mail goes by DNS, asked of a real authoritative server: MX preference, the next host when one is down, null MX,
names that are not there, hosts without MX. The hosts are 127.0.0.2, .3 and .4, all on one free port."""

from harness import Relay, free_port, main, wait_until
from name_server import NameServer
from receivers import AioReceiver

ZONE = """
both      IN MX 10 mx2
both      IN MX 20 mx3
reversed  IN MX 20 mx2
reversed  IN MX 10 mx3
dead      IN MX 10 mx4
dead      IN MX 20 mx2
alldead   IN MX 10 mx4
address   IN A 127.0.0.3
alias     IN CNAME both
null      IN MX 0 .
nowhere   IN MX 10 nothing
text      IN TXT "no address, no MX"
xn--bcher-kva IN MX 10 mx2
mx2       IN A 127.0.0.2
mx3       IN A 127.0.0.3
mx4       IN A 127.0.0.4
"""


class World:
    """Receivers on .2 and .3, nobody on .4, and a relay that asks our name server only."""

    def __init__(self, **settings):
        self.names = NameServer({"test": ZONE})
        self.port = free_port()
        self.second = AioReceiver("127.0.0.2", self.port)
        self.third = AioReceiver("127.0.0.3", self.port)
        self.relay = Relay(settings={"dns_servers": self.names.address, "smtp_tcp_port": self.port, "relayhost": "",
                                     "inet_protocols": "ipv4", **settings})

    def send_to(self, domain):
        return self.relay.send(recipients=[f"someone@{domain}"])

    def outcome(self, queue_id):
        return self.relay.wait_log(rf"{queue_id}: to=.*relay=(\S+), .*dsn=([\d.]+), status=(\w+) \((.*)\)$", 60)


def test_the_best_preference_gets_the_mail():
    world = World()
    outcome = world.outcome(world.send_to("both.test"))
    assert outcome.group(1) == f"mx2.test[127.0.0.2]:{world.port}", outcome.group(0)
    outcome = world.outcome(world.send_to("reversed.test"))
    assert outcome.group(1) == f"mx3.test[127.0.0.3]:{world.port}", outcome.group(0)
    assert len(world.second.wait()) == 1 and len(world.third.wait()) == 1


def test_the_next_host_when_the_best_is_down():
    world = World()
    queue_id = world.send_to("dead.test")
    outcome = world.outcome(queue_id)
    assert outcome.group(1).startswith("mx2.test[127.0.0.2]") and outcome.group(3) == "sent", outcome.group(0)
    world.relay.wait_log(rf"connect to mx4\.test\[127\.0\.0\.4\]:{world.port}: Connection refused")


def test_all_hosts_down_is_no_failure_yet():
    world = World()
    outcome = world.outcome(world.send_to("alldead.test"))
    assert outcome.group(3) == "deferred" and "Connection refused" in outcome.group(4), outcome.group(0)
    world.relay.wait_deferred(1)


def test_without_mx_the_address_counts():
    world = World()
    outcome = world.outcome(world.send_to("address.test"))
    assert outcome.group(1).startswith("address.test[127.0.0.3]") and outcome.group(3) == "sent", outcome.group(0)


def test_an_alias_is_followed():
    world = World()
    assert world.outcome(world.send_to("alias.test")).group(3) == "sent"
    message = world.second.wait()[0]
    assert message.recipients == ["someone@alias.test"], message.recipients


def test_a_literal_needs_no_dns():
    world = World()
    outcome = world.outcome(world.send_to("[127.0.0.3]"))
    assert outcome.group(1).startswith("127.0.0.3[127.0.0.3]") and outcome.group(3) == "sent", outcome.group(0)


def test_what_dns_says_is_final_is_kept_with_its_reason():
    world = World()
    for domain, dsn, words in (("null.test", "5.1.0", "nullMX"), ("missing.test", "5.4.4", "not found"),
                               ("text.test", "5.4.4", "")):
        queue_id = world.send_to(domain)
        outcome = world.outcome(queue_id)
        assert outcome.group(1) == "none" and outcome.group(3) == "bounced", (domain, outcome.group(0))
        assert outcome.group(2) == dsn and words in outcome.group(4), (domain, outcome.group(0))
        held = wait_until(lambda: [m for m in world.relay.queue() if m["queue_id"] == queue_id and m["queue_name"] == "hold"],
                          what=f"{domain} in hold")
        assert held[0]["recipients"][0]["delay_reason"], held


def test_an_internationalized_domain_is_asked_for_by_its_ascii_form():
    world = World()
    queue_id = world.relay.send(sender="jürgen@sender.test", recipients=["jürgen@bücher.test"], mail_options=["SMTPUTF8"])
    outcome = world.outcome(queue_id)
    assert outcome.group(1).startswith("mx2.test[127.0.0.2]") and outcome.group(3) == "sent", outcome.group(0)
    assert world.second.wait()[0].recipients == ["jürgen@bücher.test"]


def test_an_mx_without_address_waits_or_fails_but_nothing_is_lost():
    world = World()
    queue_id = world.send_to("nowhere.test")
    outcome = world.outcome(queue_id)
    assert outcome.group(3) in ("bounced", "deferred"), outcome.group(0)
    wait_until(lambda: any(m["queue_id"] == queue_id for m in world.relay.queue()), what="the message in the queue")


def test_a_name_server_that_does_not_answer_delays_only():
    world = World()
    world.names.stop()
    outcome = world.outcome(world.send_to("both.test"))
    assert outcome.group(3) == "deferred" and outcome.group(2).startswith("4."), outcome.group(0)
    world.relay.wait_deferred(1)


main(globals())
