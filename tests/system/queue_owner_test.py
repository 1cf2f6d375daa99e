#!/usr/bin/python3
"""A queue directory that is not as it must be: the start says what is wrong and the command that mends it."""

import os
import re
import shlex
import shutil

from harness import Relay, main, run
from receivers import AioReceiver


def assert_mended_by_the_remedy(relay, receiver, *words):
    result = relay.posthaste("start", check=False)
    said = result.stdout + result.stderr
    assert result.returncode != 0 and not relay.is_running(), said
    for word in words:
        assert word in said, (word, said)
    remedy = re.search(r"run: (ch\w+ .*)", said)
    assert remedy, said
    run(*shlex.split(remedy.group(1)))
    relay.start()
    relay.send()
    receiver.wait()


def test_the_database_belongs_to_somebody_else():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    relay.stop()
    database = os.path.join(relay.value("queue_directory"), "db")
    for directory, _, files in os.walk(database):
        for name in [""] + files:
            shutil.chown(os.path.join(directory, name), "nobody")
    assert_mended_by_the_remedy(relay, receiver, database, "belongs to nobody", relay.value("store_user"))


def test_the_queue_belongs_to_somebody_else():
    receiver = AioReceiver()
    relay = Relay(receiver.port, start=False)
    queue = relay.value("queue_directory")
    shutil.chown(queue, "nobody")
    assert_mended_by_the_remedy(relay, receiver, queue, "belongs to nobody", "root")


def test_the_queue_may_be_written_by_everybody():
    receiver = AioReceiver()
    relay = Relay(receiver.port, start=False)
    queue = relay.value("queue_directory")
    os.chmod(queue, 0o777)
    assert_mended_by_the_remedy(relay, receiver, queue, "may be written")


def test_a_part_is_missing():
    relay = Relay(start=False)
    os.rmdir(os.path.join(relay.value("queue_directory"), "empty"))
    result = relay.posthaste("start", check=False)
    said = result.stdout + result.stderr
    assert result.returncode != 0 and "/empty" in said and "posthaste init" in said, said


main(globals())
