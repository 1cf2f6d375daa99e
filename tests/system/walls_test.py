#!/usr/bin/python3
"""The walls around each process, read from the kernel while mail flows: user, root directory, network, rights, filters."""

import ctypes
import errno
import glob
import os
import subprocess

from harness import POSTHASTE, Relay, main
from receivers import AioReceiver

OFFLINE = ("smtpd", "cleanup", "store", "qmgr", "postlogd")     # smtpd's sockets are inherited
ONLINE = ("smtp", "trivial-rewrite")


class Process:
    def __init__(self, pid):
        self.pid = pid
        with open(f"/proc/{pid}/status", encoding="utf-8") as f:
            self.status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)

    def link(self, name):
        return os.readlink(f"/proc/{self.pid}/{name}")

    def maps(self):
        with open(f"/proc/{self.pid}/maps", encoding="utf-8") as f:
            return [line.split(None, 5) for line in f]


def processes(relay):
    return {name: [Process(pid) for pid in pids] for name, pids in relay.children().items() if name != "master"}


def running_relay():
    receiver = AioReceiver()
    relay = Relay(receiver.port, settings={"sandbox": "strict"})
    relay.send()
    receiver.wait()
    return relay


def test_every_service_runs_behind_its_walls():
    relay = running_relay()
    ours = os.readlink("/proc/self/ns/net")
    found = processes(relay)
    assert set(OFFLINE + ONLINE) == set(found), found.keys()
    for name, several in found.items():
        for process in several:
            status = process.status
            where = (name, process.pid)
            assert "0" not in status["Uid"].split() and "0" not in status["Gid"].split(), (where, status["Uid"])
            assert status["Groups"].split() in ([], [status["Gid"].split()[0]]), (where, status["Groups"])
            assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapBnd"], 16) == 0, where
            assert status["NoNewPrivs"] == "1", where
            assert status["Seccomp"] == "2", where
            assert (process.link("ns/net") != ours) == (name in OFFLINE), (where, process.link("ns/net"))
            root = process.link("root")
            assert root.startswith(relay.value("queue_directory")), (where, root)
            # Nobody may look into its memory: not dumpable, so its /proc files are root's.
            assert os.stat(f"/proc/{process.pid}/maps").st_uid == 0, where


def test_services_without_files_see_an_empty_directory():
    relay = running_relay()
    for name, several in processes(relay).items():
        if name in ("store", "postlogd", "trivial-rewrite"):
            continue
        for process in several:
            assert os.listdir(f"/proc/{process.pid}/root") == [], (name, os.listdir(f"/proc/{process.pid}/root"))
            status = os.stat(f"/proc/{process.pid}/root")
            assert status.st_uid == 0 and status.st_mode & 0o022 == 0, name


def test_users_differ_by_what_they_may_touch():
    relay = running_relay()
    users = {name: several[0].status["Uid"].split()[0] for name, several in processes(relay).items()}
    assert users["smtpd"] == users["smtp"], users
    assert len({users["smtpd"], users["qmgr"], users["store"]}) == 3, users


def test_shared_memory_is_written_by_its_owner_only():
    """A segment that two processes map is writable in one of them."""
    relay = running_relay()
    writers, readers = {}, {}
    for name, several in processes(relay).items():
        for process in several:
            for fields in process.maps():
                if len(fields) > 5 and fields[5].startswith("/memfd:"):
                    side = writers if "w" in fields[1] else readers
                    side.setdefault((fields[3], fields[4]), set()).add((name, process.pid))
    assert len(writers) > 10, writers
    for segment, owners in writers.items():
        assert len(owners) == 1, (segment, owners)
    assert readers, "nobody reads anybody's memory: what was looked at?"


def test_no_descriptor_leaks_to_a_service():
    """What a parent had open (here a file and a pipe) is not open in any service."""
    receiver = AioReceiver()
    relay = Relay(receiver.port, start=False)
    secret = os.open(os.path.join(relay.directory, "main.cf"), os.O_RDONLY)
    os.set_inheritable(secret, True)
    result = subprocess.run([POSTHASTE, "-c", relay.directory, "start"], close_fds=False, capture_output=True, text=True, timeout=60)
    os.close(secret)
    assert result.returncode == 0, result.stderr
    for name, several in processes(relay).items():
        for process in several:
            for link in glob.glob(f"/proc/{process.pid}/fd/*"):
                target = os.readlink(link)
                assert not target.startswith(relay.directory) or target.startswith(relay.value("queue_directory")) or \
                    target == relay.log_file, (name, target)


class FaultyKernel:
    """As if the kernel had not the call: from preexec_fn on it fails for the program and all it starts."""

    def __init__(self, call):
        allow, fail, no_new_privileges = 0x7fff0000, 0x00050000 | errno.ENOSYS, 3
        self.library = ctypes.CDLL("libseccomp.so.2")
        self.library.seccomp_init.restype = ctypes.c_void_p
        self.rules = ctypes.c_void_p(self.library.seccomp_init(allow))
        number = self.library.seccomp_syscall_resolve_name(call.encode())
        assert self.library.seccomp_attr_set(self.rules, no_new_privileges, 0) == 0
        assert self.library.seccomp_rule_add(self.rules, fail, number, 0) == 0, call

    def __call__(self):
        assert self.library.seccomp_load(self.rules) == 0


def start_without(relay, call):
    return subprocess.run([POSTHASTE, "-c", relay.directory, "start"], preexec_fn=FaultyKernel(call), capture_output=True,
                          text=True, timeout=60)


def test_strict_does_not_start_without_a_layer():
    """Each layer for itself: tests/walls. Here, what whoever starts the relay is told."""
    receiver = AioReceiver()
    relay = Relay(receiver.port, settings={"sandbox": "strict"}, start=False)
    for call, layer in (("landlock_create_ruleset", "landlock"), ("chroot", "chroot"), ("capset", "capabilities")):
        result = start_without(relay, call)
        assert result.returncode != 0, f"started without {layer}"
        assert "sandbox = strict" in result.stderr and layer + ":" in result.stderr, result.stderr
        assert not relay.is_running()
    relay.start()
    relay.send()
    receiver.wait()


def test_best_starts_without_a_layer_and_says_so():
    receiver = AioReceiver()
    relay = Relay(receiver.port, start=False)
    assert relay.value("sandbox") == "best"
    result = start_without(relay, "landlock_create_ruleset")
    assert result.returncode == 0, result.stderr
    relay.wait_log(r"warning: sandbox: not applied: landlock: Function not implemented")
    relay.send()
    receiver.wait()


main(globals())
