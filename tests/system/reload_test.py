#!/usr/bin/python3
"""A reload drops no connection and no mail: an open session goes on, live parameters hold at once, and a service that
must be replaced is replaced while the old one finishes what it holds."""

import os
import signal
import subprocess
import threading

from harness import Relay, Sink, Smtp, main, scratch_directory, source, wait_until
from receivers import AioReceiver


def without_readers(children):
    """A reload replaces those that open files: postlogd its log, rewrite its tables."""
    return {name: pids for name, pids in children.items() if name not in ("postlogd", "trivial-rewrite")}


def listeners_of(relay):
    said = subprocess.run(["ss", "-Hltn", f"sport = :{relay.port}"], capture_output=True, text=True, check=True)
    return len(said.stdout.splitlines())


def test_an_open_session_goes_on_and_a_live_parameter_holds():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    pids = without_readers(relay.children())
    old = Smtp(relay.port)
    old.greet()
    old.envelope()
    assert old.ask("DATA").startswith("354")
    old.say("Subject: across a reload\r\n\r\nfirst half\r\n")
    relay.reload({"message_size_limit": "5555"})

    def announced():
        new = Smtp(relay.port)
        said = new.greet()
        new.close()
        return "SIZE 5555\r\n" in said
    wait_until(announced, what="SIZE 5555 in EHLO")
    assert old.ask("second half\r\n.\r\n".encode()).startswith("250")
    assert receiver.wait()[0].body == b"first half\r\nsecond half\r\n"
    assert without_readers(relay.children()) == pids, "a live parameter needs no new process"


def test_sighup_is_a_reload_too():
    relay = Relay(AioReceiver().port)
    relay.configure({"smtpd_banner": "$myhostname ESMTP reloaded"})
    os.kill(relay.children()["master"][0], signal.SIGHUP)

    def greeting():
        smtp = Smtp(relay.port)
        said = smtp.hear()
        smtp.close()
        return said
    wait_until(lambda: greeting().endswith(" ESMTP reloaded\r\n"), what="the new banner")


def test_a_session_outlives_the_process_that_a_restart_parameter_replaces():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    before = set(relay.children()["smtpd"])
    old = Smtp(relay.port)
    old.greet()
    old.envelope()
    assert old.ask("DATA").startswith("354")
    old.say("Subject: held over\r\n\r\nfirst half\r\n")
    relay.reload({"smtpd_arena_size": "128M"})
    wait_until(lambda: set(relay.children()["smtpd"]) - before, what="a new smtpd")
    relay.send("Subject: to the new one\r\n\r\nnew\r\n")
    assert old.ask("second half\r\n.\r\n".encode()).startswith("250")
    old.close()
    assert sorted(m.body for m in receiver.wait(2)) == [b"first half\r\nsecond half\r\n", b"new\r\n"]
    wait_until(lambda: not before & set(relay.children()["smtpd"]), 60, "the old smtpd to end")


def test_nobody_waits_at_a_worker_that_has_retired():
    relay = Relay(AioReceiver().port, settings={"worker_processes": "4"})
    old = [Smtp(relay.port) for _ in range(40)]    # so that every worker has somebody to wait for
    for smtp in old:
        smtp.greet()
    greeted = []
    finished = threading.Event()

    def knock():
        while not finished.is_set():
            try:
                new = Smtp(relay.port)
                greeted.append(new.hear().startswith("220 "))
                new.close()
            except OSError:
                greeted.append(False)
    clients = [threading.Thread(target=knock) for _ in range(4)]
    for client in clients:
        client.start()
    relay.reload({"worker_processes": "1"})
    wait_until(lambda: len(greeted) > 1000, what="new clients")
    # All of them but the one: they have taken their last clients.
    wait_until(lambda: listeners_of(relay) == 1, what="the retired workers to close the port")
    finished.set()
    for client in clients:
        client.join()
    assert all(greeted), f"{greeted.count(False)} of {len(greeted)} clients were cut off"
    for smtp in old:
        assert smtp.ask("NOOP").startswith("250")
        smtp.close()
    wait_until(lambda: len(relay.children()["smtpd"]) == 1, what="the retired workers to end")


def test_a_list_in_a_file_is_read_again():
    receiver = AioReceiver()
    networks = os.path.join(scratch_directory("lists"), "networks")
    with open(networks, "w", encoding="ascii") as f:
        f.write("127.0.0.0/8\n")
    relay = Relay(receiver.port, settings={"mynetworks": networks})
    relay.send()

    def refused():
        smtp = Smtp(relay.port)
        smtp.greet()
        smtp.ask("MAIL FROM:<sender@sender.test>")
        said = smtp.ask("RCPT TO:<someone@dest.test>")
        smtp.close()
        return said.startswith("454 4.7.1") or said.startswith("554 5.7.1")
    assert not refused()
    with open(networks, "w", encoding="ascii") as f:
        f.write("192.0.2.0/24\n")
    relay.reload({"smtpd_banner": "$myhostname ESMTP"})
    wait_until(refused, what="the network that is no longer trusted to be refused")
    wait_until(lambda: all(refused() for _ in range(4)), what="every smtpd to refuse it")


def test_mail_takes_the_new_relayhost():
    old, new = Sink(), Sink()
    relay = Relay(old.port)
    relay.send("X-Test-Tag: before\r\n\r\nhello\r\n")
    wait_until(lambda: old.tags() == ["before"], what="the first message at the old relayhost")
    old.stop()
    relay.send("X-Test-Tag: deferred\r\n\r\nhello\r\n")
    relay.wait_log("status=deferred")
    relay.reload({"relayhost": f"[127.0.0.1]:{new.port}"})

    def arrives_at_the_new():
        relay.send("X-Test-Tag: after\r\n\r\nhello\r\n")
        return "after" in new.tags()
    wait_until(arrives_at_the_new, what="mail at the new relayhost")
    relay.flush()
    wait_until(lambda: "deferred" in new.tags(), what="the deferred message there too")


def test_reloads_under_load_lose_nothing():
    sink = Sink()
    relay = Relay(sink.port)
    acked = os.path.join(relay.directory, "acked")
    result = {}

    def load():
        result["run"] = source(relay, "--messages", "8000", "--sessions", "20", "--size", "1000", "--acked", acked)
    sender = threading.Thread(target=load)
    sender.start()
    for size in ("5000000", "6000000", "7000000"):
        relay.reload({"message_size_limit": size})
    sender.join()
    assert "8000 accepted, 0 refused, 0 connections lost" in result["run"].stdout, result["run"].stdout
    with open(acked, encoding="utf-8") as f:
        tags = set(f.read().split())
    wait_until(lambda: len(set(sink.tags())) >= 8000, 60, "8000 messages at the sink")
    assert set(sink.tags()) == tags and len(sink.tags()) == 8000


def test_a_cleanup_that_is_replaced_under_load_turns_no_mail_away():
    sink = Sink()
    relay = Relay(sink.port)
    before = relay.children()["cleanup"]
    result = {}

    def load():
        result["run"] = source(relay, "--messages", "20000", "--sessions", "50", "--size", "1000")
    sender = threading.Thread(target=load)
    sender.start()
    wait_until(sink.tags, what="the first message")
    replaced = 0
    for size in ("40M", "48M", "56M"):
        relay.reload({"cleanup_arena_size": size})
        wait_until(lambda: not set(before) & set(relay.children().get("cleanup", [])), 60, "the old cleanup to go under load")
        before = relay.children()["cleanup"]
        replaced += sender.is_alive()
    sender.join()
    assert "20000 accepted, 0 refused, 0 connections lost" in result["run"].stdout, result["run"].stdout
    assert replaced > 0, "there was no load left"


main(globals())
