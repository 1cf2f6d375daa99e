#!/usr/bin/python3
"""Destinations that lie, babble, fall silent or answer what nobody asked: their mail waits, everybody else's goes on, and when
they come to their senses each message arrives once."""

import socket
import threading

from harness import Relay, main, remember_to, wait_until
from receivers import AioReceiver

HELLO = b"250-liar.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
ENDLESS = 64 << 20


class ReadAll(ValueError):
    """Somebody read ENDLESS bytes and wanted more."""


class Liar:
    """A server with one bad habit, from the moment it is asked `step` on; before that it behaves. cure() makes it honest."""

    STEPS = ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "."]

    def __init__(self, step, habit):
        self.step = step
        self.habit = habit
        self.honest = False
        self.messages = []
        self.was_endured = False
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.connections = set()
        remember_to(self.stop)
        threading.Thread(target=self.accept, daemon=True).start()

    def stop(self):
        self.socket.close()
        for connection in list(self.connections):
            connection.close()

    def cure(self):
        self.honest = True
        for connection in list(self.connections):
            connection.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections.add(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            self.converse(connection)
        except ReadAll:
            self.was_endured = True
        except (OSError, ValueError):
            pass
        self.connections.discard(connection)
        connection.close()

    def says(self, connection, step, reply):
        if not self.honest and step == self.step:
            self.habit(connection)
        else:
            connection.sendall(reply)

    def converse(self, connection):
        self.says(connection, "greeting", b"220 liar.test ESMTP\r\n")
        lines = connection.makefile("rb")
        for line in lines:
            word = line[:4].upper().strip()
            if word in (b"EHLO", b"HELO"):
                self.says(connection, "EHLO", HELLO if word == b"EHLO" else b"250 liar.test\r\n")
            elif word == b"DATA":
                self.says(connection, "DATA", b"354 go on\r\n")
                body = b""
                for line in lines:
                    if line == b".\r\n":
                        break
                    body += line
                self.says(connection, ".", b"250 2.0.0 taken\r\n")
                if self.honest:
                    self.messages.append(body)
            elif word == b"QUIT":
                connection.sendall(b"221 bye\r\n")
                return
            else:
                self.says(connection, word.decode("latin-1"), b"250 ok\r\n")


def sends(data):
    return lambda connection: connection.sendall(data)


def endless(unit):
    """Until the other side has had enough, or ENDLESS bytes: more than anybody should read of a reply."""
    def habit(connection):
        sent = 0
        data = unit * (65536 // len(unit))
        while sent < ENDLESS:
            connection.sendall(data)
            sent += len(data)
        raise ReadAll
    return habit


def silent(connection):
    connection.recv(1 << 16)
    while connection.recv(1 << 16):
        pass


def hangs_up(connection):
    connection.close()
    raise ValueError


def stutters(data):
    """One byte at a time is slow, and right."""
    def habit(connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(data)):
            connection.sendall(data[at:at + 1])
    return habit


HABITS = {
    "endless_line": endless(b"2"),
    "endless_reply": endless(b"250-and so on\r\n"),
    "endless_zeros": endless(b"\0"),
    "endless_newlines": endless(b"\r\n"),
    "zeros": sends(b"2\x0050 ok\x00\r\n"),
    "code_999": sends(b"999 what\r\n"),
    "code_000": sends(b"000 what\r\n"),
    "letters": sends(b"hello there\r\n"),
    "two_digits": sends(b"25 ok\r\n"),
    "minus": sends(b"-250 ok\r\n"),
    "codes_differ": sends(b"250-ok\r\n450 no\r\n"),
    "silent": silent,
    "hangs_up": hangs_up,
    "closing_421": sends(b"421 4.3.2 closing\r\n"),
    "code_354_unasked": sends(b"354 go on\r\n"),
}


def liars():
    found = []
    for step in Liar.STEPS:
        for name, habit in HABITS.items():
            if name == "code_354_unasked" and step in ("DATA", "EHLO"):      # right there; and reason to say HELO
                continue
            found.append((f"{step}-{name}".replace(".", "dot").lower().replace("_", "-"), Liar(step, habit)))
    return found


def relay_for(liars_, good_port, **settings):
    routes = ", ".join("{ %s.test = smtp:[127.0.0.1]:%d }" % (name, liar.port) for name, liar in liars_)
    return Relay(settings={
        "transport_maps": "inline:{ %s, { good.test = smtp:[127.0.0.1]:%d } }" % (routes, good_port),
        "relayhost": f"[127.0.0.1]:{good_port}", "minimal_backoff_time": "1000s", "maximal_backoff_time": "1000s",
        **{f"smtp_{step}_timeout": "4s" for step in ("connect", "helo", "mail", "rcpt", "data_init", "data_xfer", "data_done",
                                                     "quit", "rset")}, **settings})


def fate(relay, address):
    return next((r for m in relay.queue() for r in m["recipients"] if r["address"] == address), None)


def test_no_lie_is_believed_and_nobody_else_waits():
    found = liars()
    good = AioReceiver()
    relay = relay_for(found, good.port)
    before = relay.children()
    for name, _ in found:
        relay.send(f"Subject: x\r\n\r\nfor {name}\r\n", recipients=(f"r@{name}.test",))
    for number in range(20):
        relay.send(f"Subject: x\r\n\r\n{number}\r\n", recipients=("r@good.test",))
    good.wait(20)
    log = wait_until(lambda: all_tried(relay, [name for name, _ in found]), 120, "an attempt each")
    for name, liar in found:
        if name.startswith("dot-") and name.endswith("code-354-unasked"):
            continue
        assert f"to=<r@{name}.test>" in log
        sent = [line for line in log.splitlines() if f"to=<r@{name}.test>" in line and "status=sent" in line]
        assert not sent, sent
    endured = [name for name, liar in found if liar.was_endured]
    assert not endured, f"read to the end of all patience: {endured}"
    assert relay.children() == before, "somebody died of it"
    for word in ("panic:", "fatal:", "killed by signal"):
        assert word not in log, word
    # What they had said was no final refusal, so they come to their senses to find their mail.
    for _, liar in found:
        liar.cure()
    relay.wait_deferred()   # and nothing held
    assert relay.queue()
    relay.flush()
    wait_until(lambda: flush_until_empty(relay), 120, "all mail at the cured")
    for name, liar in found:
        assert len(liar.messages) == 1 and f"for {name}".encode() in liar.messages[0], (name, liar.messages)


def flush_until_empty(relay):
    queue = relay.queue()
    if any(m["queue_name"] == "deferred" for m in queue):
        relay.flush()
    return not queue


def all_tried(relay, names):
    log = relay.log()
    return log if all(f"to=<r@{name}.test>" in log for name in names) else None


def test_replies_in_single_bytes_are_replies():
    liar = Liar("EHLO", stutters(HELLO))
    good = AioReceiver()
    relay = relay_for([("slow", liar)], good.port)
    relay.send(recipients=("r@slow.test",))
    relay.wait_log(r"to=<r@slow.test>.*status=sent")


def test_all_replies_before_the_first_question():
    """A server that says 250 to everything before it is asked gets no second message on that connection."""
    liar = Liar("greeting", sends(b"220 liar.test\r\n" + HELLO + b"250 ok\r\n" * 2 + b"354 go\r\n" + b"250 taken\r\n" * 50))
    good = AioReceiver()
    relay = relay_for([("eager", liar)], good.port)
    before = relay.children()
    for number in range(10):
        relay.send(f"Subject: x\r\n\r\n{number}\r\n" + "x" * 70 + "\r\n", recipients=("r@eager.test",))
    relay.send(recipients=("r@good.test",))
    good.wait()
    relay.wait_log(r"to=<r@eager.test>")
    assert relay.children() == before


main(globals())
