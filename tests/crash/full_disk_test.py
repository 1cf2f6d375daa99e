#!/usr/bin/python3
"""A disk that is really full: 452 4.3.1, nobody dies, delivery drains, and mail is taken again without anybody's help."""

import os
import time

from loop_disk import LoopDisk
from harness import Relay, Sink, Smtp, free_port, main, scratch_directory, source, wait_until

# The floor is 16 times the write buffer: 128 MiB here.
SETTINGS = {"minimal_backoff_time": "3h", "maximal_backoff_time": "3h", "store_write_buffer_size": "8M",
            "smtpd_client_connection_count_limit": "0"}


def answer_to_mail(relay):
    """To the first command that is refused, or to the message."""
    smtp = Smtp(relay.port)
    smtp.greet()
    reply = ""
    for command in ["MAIL FROM:<a@sender.test>", "RCPT TO:<b@dest.test>", "DATA", "Subject: x\r\n\r\nx\r\n."]:
        reply = smtp.ask(command)
        if reply[:1] not in "23":
            break
    smtp.close()
    return reply


def relay_on(disk, port):
    relay = Relay(port, start=False, settings=SETTINGS)
    disk.take_queue_of(relay)
    relay.start()
    return relay


def fill(relay, disk, acked, *options):
    for batch in range(100):
        source(relay, "--acked", acked, "--messages", 40, "--size", 500_000, "--sessions", 8, "--tag", f"m{batch}",
               "--timeout-s", 60, *options, check=False)
        # Once is enough: RocksDB may give something back at any time.
        if answer_to_mail(relay).startswith("452 4.3.1"):
            return
    raise AssertionError(f"mail is still taken, {disk.free_bytes()} bytes free")


def test_mail_fills_the_disk():
    disk = LoopDisk(megabytes=500)
    port = free_port()
    relay = relay_on(disk, port)
    staff = relay.children()
    acked = os.path.join(scratch_directory(), "acked")
    fill(relay, disk, acked)
    queued = len(relay.queue())
    print(f"        {queued} messages of 500 kB in the queue, {disk.free_bytes() >> 20} MiB free")
    assert queued > 100
    assert relay.children() == staff, "somebody died of a full disk"
    sink = Sink(port=port)
    relay.wait_deferred()
    relay.flush()
    wait_until(lambda: len(sink.tags()) >= queued, 120, "what is queued to be delivered")
    relay.wait_queue_empty()
    wait_until(lambda: answer_to_mail(relay).startswith("250"), 60, f"mail to be taken again; {disk.free_bytes() >> 20} MiB free")
    assert relay.children() == staff, "somebody died of a full disk"
    with open(acked) as f:
        assert set(f.read().split()) <= set(sink.tags())


def test_somebody_else_fills_the_disk():
    disk = LoopDisk(megabytes=500)
    port = free_port()
    relay = relay_on(disk, port)
    staff = relay.children()
    source(relay, "--messages", 500, "--sessions", 8, "--tag", "before")
    glutton = os.path.join(disk.mount_point, "glutton")
    with open(glutton, "wb") as f:
        for piece in [64 << 20, 1 << 20, 4096]:
            while disk.free_bytes() >= piece:
                try:
                    os.posix_fallocate(f.fileno(), os.fstat(f.fileno()).st_size, piece)
                except OSError:
                    break
    assert disk.free_bytes() < 1 << 20, disk.free_bytes()
    wait_until(lambda: answer_to_mail(relay).startswith("452 4.3.1"), 30, "452 4.3.1")
    sink = Sink(port=port)
    relay.wait_deferred()
    relay.flush()
    wait_until(lambda: len(sink.tags()) >= 500, 60, "the queue to be delivered without a free byte")
    relay.wait_queue_empty()
    assert relay.children() == staff, "somebody died of a full disk"
    os.unlink(glutton)
    wait_until(lambda: answer_to_mail(relay).startswith("250"), 30, "mail to be taken again")
    assert relay.children() == staff, "somebody died of a full disk"


def test_what_stays_does_not_keep_the_room_of_what_went():
    disk = LoopDisk(megabytes=500)
    port, later_port = free_port(), free_port()
    relay = Relay(port, start=False, settings={**SETTINGS, "transport_maps": f"inline:{{d1.dest.test=smtp:[127.0.0.1]:{later_port}}}"})
    disk.take_queue_of(relay)
    relay.start()
    staff = relay.children()
    acked = os.path.join(scratch_directory(), "acked")
    fill(relay, disk, acked, "--domain", "dest.test", "--domains", 2)
    relay.wait_deferred()
    queued = len(relay.queue())
    sink = Sink(port=port)
    relay.flush()
    wait_until(lambda: 0 < len(relay.queue()) < queued * 6 / 10, 120, "the half that can be to be delivered")
    stays = len(relay.queue())
    print(f"        {queued - stays} of {queued} messages delivered between others, {disk.free_bytes() >> 20} MiB free")
    assert stays > queued * 4 / 10
    # As much again as has to stay too is more than what is free.
    kept_again = os.path.join(scratch_directory(), "again")

    def taken():
        source(relay, "--acked", kept_again, "--messages", 20, "--size", 500_000, "--sessions", 4, "--tag", f"again{time.monotonic()}",
               "--domain", "d1.dest.test", "--timeout-s", 60, check=False)
        with open(kept_again) as f:
            return sum(1 for _ in f)
    wait_until(lambda: taken() > (queued - stays) / 2, 120, "mail to be taken where other mail was")
    assert relay.children() == staff, "somebody died of a full disk"
    later = Sink(port=later_port)
    relay.wait_deferred()
    relay.flush()
    relay.wait_queue_empty()
    answered = set()
    for path in acked, kept_again:
        with open(path) as f:
            answered |= set(f.read().split())
    wait_until(lambda: answered <= set(sink.tags()) | set(later.tags()), 60, "the sinks to have written down what was answered 250")
    assert relay.children() == staff, "somebody died of a full disk"


main(globals())
