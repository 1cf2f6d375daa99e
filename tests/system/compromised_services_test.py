#!/usr/bin/python3
"""A service that was taken over: its process lies in every way it can, and everybody else goes on as if it were not there.

tests/hostile has the process (puppet), which master takes for an smtpd, a cleanup or an smtp; here are its strings. Beside it honest
ones take mail all the time. Afterwards the same processes run, every honest message has arrived to the byte, and nothing of it was
delivered to the intruder.
"""

import os
import re
import socket
import threading

from harness import BUILD, LIBEXEC, Relay, Smtp, free_port, main, remember_to, scratch_directory, wait_until
from receivers import AioReceiver

PUPPET = os.path.join(BUILD, "tests/hostile/puppet")
SECRET = "for nobody's eyes but the receiver's"
# Answers that do no harm; what else comes back is a complaint. "no link" is one: it would have tried nothing.
HARMLESS = {"closed", "refused", "answered", "full", "open"}
# What a reader can not tell from good behaviour, or need not mind.
MAY_STAY_OPEN = {"ring/lies_about_reading", "ring/head_beyond", "record/flood", "record/flood_of_leases", "record/forge_log_lines",
                 "report/report_of_former_life", "report/hold_without_end", "report/skip_sequence"}
# No fault of the link: what is said is just not believed.
MUST_STAY_OPEN = {"report/claim_others", "report/misreport_own"}
# One of two workers is the puppet, for as long as it lives.
SHARE = """#!/bin/sh
exec 9>{directory}/taken
if flock -n 9; then exec {puppet}; else exec 9>&- {honest}; fi
"""
# master introduces two that have not met five times more; then another life is needed.
ATTACKS_A_LIFE = 5


class Strings:
    """The other end of the puppet's socket: one life after the other."""

    def __init__(self, role):
        self.directory = scratch_directory("hostile")
        for program in os.listdir(LIBEXEC):
            os.symlink(os.path.join(LIBEXEC, program), os.path.join(self.directory, program))
        os.unlink(os.path.join(self.directory, role))
        with open(os.path.join(self.directory, role), "w", encoding="utf-8") as f:
            f.write(SHARE.format(directory=self.directory, puppet=PUPPET, honest=os.path.join(LIBEXEC, role)))
        os.chmod(os.path.join(self.directory, role), 0o755)
        self.path = os.path.join(self.directory, "strings")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(self.path)
        self.socket.listen(8)
        self.socket.settimeout(60)
        self.life = None
        self.pids = set()
        os.environ["POSTHASTE_STRINGS"] = self.path
        remember_to(self.drop)

    def drop(self):
        os.environ.pop("POSTHASTE_STRINGS", None)
        self.socket.close()
        if self.life:
            self.life.close()

    def next_life(self):
        if self.life and self.ask("go") is not None:
            self.life.close()
        self.life, _ = self.socket.accept()
        self.life.settimeout(90)
        self.pids.add(int(self.ask("who")))

    def ask(self, order):
        """None: it was killed over it."""
        try:
            self.life.send(order.encode())
            answer = self.life.recv(1 << 16).decode()
        except (BrokenPipeError, ConnectionResetError):
            answer = ""
        if answer:
            return answer
        self.life.close()
        self.life = None
        return None


class HonestClient(threading.Thread):
    """One message after the other, until told to stop; each must be taken at the first attempt."""

    def __init__(self, relay):
        super().__init__(daemon=True)
        self.relay = relay
        self.is_over = threading.Event()
        self.sent = 0
        self.fault = None
        self.start()

    def body(self, number):
        return f"{number}: {SECRET}\r\n" + f"{number:06}{SECRET}\r\n" * 200

    def run(self):
        try:
            while not self.is_over.wait(0.02):
                self.relay.send(f"Subject: honest\r\n\r\n{self.body(self.sent)}")
                self.sent += 1
        except Exception as e:                     # told by stop()
            self.fault = e

    def stop(self):
        self.is_over.set()
        self.join(60)
        assert self.fault is None, f"after {self.sent} messages: {self.fault!r}"
        return self.sent


def relay_with_puppet(receiver, as_role):
    strings = Strings(as_role)
    relay = Relay(receiver.port, settings={"service_throttle_time": "1s", "worker_processes": "2"}, start=False)
    if as_role == "smtpd":
        # With a port of its own: it serves nobody.
        with open(os.path.join(relay.directory, "master.cf"), "a", encoding="utf-8") as f:
            f.write(f"127.0.0.1:{free_port()} inet n - n - 1 smtpd -o daemon_directory={strings.directory}\n")
    else:
        relay.configure({"daemon_directory": strings.directory})
    relay.start()
    strings.next_life()
    return relay, strings


def bystanders(relay, strings):
    return {pid: name for name, pids in relay.children().items() for pid in pids if pid not in strings.pids}


def carry_out(strings, role, names):
    complaints = []
    for count, name in enumerate(names):
        if count % ATTACKS_A_LIFE == 0 or strings.life is None:
            strings.next_life()
        answer = strings.ask(f"{role} {name}") or "closed"
        may = HARMLESS if name in MAY_STAY_OPEN else {"open"} if name in MUST_STAY_OPEN else HARMLESS - {"open", "full"}
        if answer not in may and not (name.startswith("record/") and answer.startswith("451 ")):
            complaints.append(f"{role} {name}: {answer}")
    return complaints


def attack(role, as_role="smtpd"):
    receiver = AioReceiver()
    relay, strings = relay_with_puppet(receiver, as_role)
    client = HonestClient(relay)
    before = bystanders(relay, strings)
    names = strings.ask(f"{role} list").split()
    assert len(names) > 5, names
    complaints = carry_out(strings, role, names)
    assert not complaints, "\n".join(complaints)
    sent = client.stop()
    strings.next_life()                     # jobs that were given to the one before come back
    assert bystanders(relay, strings) == before, "somebody else died"
    arrived = wait_until(lambda: honest(receiver, sent), 60, "all honest mail")
    for number in range(sent):
        assert client.body(number) in arrived, f"message {number} is not what was sent"
    for message in receiver.messages:
        if message.sender != "sender@sender.test":
            assert SECRET.encode() not in message.body, "an honest message's bytes came to the intruder"
    log = "\n".join(line for line in relay.log().splitlines() if not any(f" pid {pid} killed by signal 9" in line for pid in strings.pids))
    for word in ("panic:", "fatal:", "killed by signal", "assertion"):
        assert word not in log, [line for line in log.splitlines() if word in line]
    forged = [line for line in log.splitlines() if "forged: removed" in line]
    assert forged if role == "postlogd" else not forged
    for line in forged:
        own = re.match(rf"(?!Jan  1 00:00)\w+ [ \d]\d [\d:]+ \S+ postfix/{as_role}\[(\d+)\]: ", line)
        assert own and int(own.group(1)) in strings.pids, f"a forged line: {line}"
    assert "forged whole" not in log
    assert role == "store" and as_role == "smtpd" or f"have fallen out: restarting {as_role}/" in log, "nobody was put out of the house"
    # The relay is whole: a new client, a new message.
    smtp = Smtp(relay.port)
    smtp.greet()
    smtp.close()
    return sent


def honest(receiver, count):
    found = [m.body.decode() for m in receiver.messages if m.sender == "sender@sender.test"]
    return found if len(found) >= count else None


def test_cleanup_is_not_led_astray():
    attack("cleanup")


def test_rewrite_is_not_led_astray():
    attack("trivial-rewrite")


def test_postlogd_is_not_led_astray():
    attack("postlogd")


def test_store_is_not_led_astray_by_an_arena():
    attack("store")


def test_store_is_not_led_astray_by_a_cleanup():
    attack("store", as_role="cleanup")


def test_qmgr_is_not_led_astray_by_an_agent():
    attack("qmgr", as_role="smtp")


main(globals())
