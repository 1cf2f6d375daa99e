#!/usr/bin/python3
"""A port that somebody else has: the start fails, names the port and how to see who has it, and leaves nothing behind."""

import socket

from harness import Relay, main
from receivers import AioReceiver


def test_the_start_says_which_port_and_works_once_it_is_free():
    receiver = AioReceiver()
    relay = Relay(receiver.port, start=False)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", relay.port))
        other.listen()
        result = relay.posthaste("start", check=False)
        said = result.stdout + result.stderr
        assert result.returncode != 0, said
        assert str(relay.port) in said and "in use" in said and "ss -ltnp" in said and "master.cf:" in said, said
        assert not relay.is_running()
    relay.start()
    relay.send()
    receiver.wait()


def test_starting_twice_is_refused_and_harms_nobody():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    pids = relay.children()
    result = relay.posthaste("start", check=False)
    assert result.returncode != 0 and "running already" in result.stdout + result.stderr, result.stderr
    assert relay.children() == pids
    relay.send()
    receiver.wait()


main(globals())
