#!/usr/bin/python3
"""posthaste's own commands: init makes something that works, start returns when mail is accepted, stop when all is over."""

import glob
import grp
import gzip
import os
import pwd
import re
import signal
import subprocess

from harness import LIBEXEC, POSTCONF, POSTHASTE, Relay, can_connect, is_alive, main, run, scratch_directory, wait_until
from receivers import AioReceiver


def gone(pids):
    return not any(map(is_alive, pids))


def test_init_writes_a_configuration_that_starts():
    receiver = AioReceiver()
    for mode in ("relay", "null-client", "internet", "bulk", "load-test"):
        relay = Relay(receiver.port, mode=mode)
        assert can_connect(relay.port) and relay.is_running(), mode
        relay.stop()
    for user in ("network_user", "queue_user", "store_user", "log_user"):
        assert pwd.getpwnam(relay.value(user)).pw_shell.endswith(("nologin", "false"))


def test_init_does_not_overwrite_unless_told():
    relay = Relay(start=False)
    relay.configure({"myhostname": "mine.test"})
    result = relay.posthaste("init", "--listen", f"127.0.0.1:{relay.port}", check=False)
    assert result.returncode != 0 and "--force" in result.stdout + result.stderr, result.stderr
    assert relay.value("myhostname") == "mine.test"
    relay.posthaste("init", "--force", "--listen", f"127.0.0.1:{relay.port}")
    assert relay.value("myhostname") != "mine.test"


def test_start_returns_when_mail_is_accepted_and_stop_when_nobody_is_left():
    receiver = AioReceiver()
    relay = Relay(receiver.port, start=False)
    for _ in range(5):
        relay.start()
        relay.send()                        # at once: no waiting
        pids = sum(relay.children().values(), [])
        assert len(pids) >= 7, relay.children()
        relay.stop()
        assert gone(pids) and not can_connect(relay.port)
    relay.start()
    receiver.wait(5)                        # what a stop left is in the queue
    relay.wait_queue_empty()
    assert len(receiver.messages) == 5
    relay.stop()
    assert relay.posthaste("stop", check=False).returncode != 0, "stopping what does not run is no success"


def test_status_tells_what_runs():
    relay = Relay(AioReceiver().port)
    relay.send()
    said = relay.posthaste("status").stdout
    for word in ("smtpd", "cleanup", "store", "qmgr", "smtp", "trivial-rewrite", relay.directory, str(relay.children()["master"][0])):
        assert word in said, (word, said)
    relay.stop()
    result = relay.posthaste("status", check=False)
    assert result.returncode != 0 and "not running" in result.stdout + result.stderr, result.stderr


def test_status_says_first_what_is_down_and_forgets_no_counter():
    relay = Relay(AioReceiver().port, settings={"worker_processes": "1"})
    assert relay.posthaste("status").returncode == 0
    relay.send()
    before = relay.counter("smtpd", "connections")
    assert before > 0
    smtpd, = relay.children()["smtpd"]
    os.kill(smtpd, signal.SIGKILL)
    wait_until(lambda: relay.children().get("smtpd", [smtpd]) != [smtpd], what="a new smtpd")
    wait_until(relay.is_whole, what="all to be well again")
    assert relay.counter("smtpd", "connections") >= before


def test_the_log_is_rotated_while_mail_goes_on_and_may_be_read_by_adm():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    relay.send()
    receiver.wait()
    relay.wait_log("removed")
    status = os.stat(relay.log_file)
    assert status.st_mode & 0o777 == 0o640 and grp.getgrgid(status.st_gid).gr_name == "adm", oct(status.st_mode)
    relay.posthaste("logrotate")
    old, = glob.glob(relay.log_file + ".*")
    assert re.fullmatch(re.escape(relay.log_file) + r"\.\d{8}-\d{6}\.gz", old), old
    with gzip.open(old, "rt") as f:
        assert "status=sent" in f.read()
    relay.send()
    receiver.wait(2)
    relay.wait_log("status=sent")
    # One that is refused leaves the log where it was.
    relay.configure({"sandbox": "maybe"})
    result = relay.posthaste("logrotate", check=False)
    assert result.returncode == 1 and "main.cf:" in result.stderr, result.stderr
    assert len(glob.glob(relay.log_file + ".*")) == 1 and "status=sent" in relay.log()


def test_abort_is_at_once():
    relay = Relay(AioReceiver().port)
    pids = sum(relay.children().values(), [])
    relay.posthaste("abort")
    assert gone(pids)


def test_sigterm_to_master_is_a_stop():
    relay = Relay(AioReceiver().port)
    pids = sum(relay.children().values(), [])
    os.kill(relay.children()["master"][0], signal.SIGTERM)
    wait_until(lambda: gone(pids), 60, "all processes to end")


def test_in_the_foreground_for_containers():
    receiver = AioReceiver()
    relay = Relay(receiver.port, start=False)
    process = subprocess.Popen([POSTHASTE, "-c", relay.directory, "start-fg"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_until(lambda: can_connect(relay.port), what="the port")
    relay.send()
    receiver.wait()
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 0, said
    assert "daemon started" in said, said


def test_installed_elsewhere_it_finds_its_programs():
    """Copied as it would be installed, and started from another directory by a relative path."""
    prefix = scratch_directory("prefix")
    for directory, names in (("sbin", [POSTHASTE, POSTCONF]), ("libexec/posthaste", [os.path.join(LIBEXEC, n) for n in os.listdir(LIBEXEC)])):
        os.makedirs(os.path.join(prefix, directory))
        run("cp", *names, os.path.join(prefix, directory))
    receiver = AioReceiver()
    relay = Relay(receiver.port, start=False)
    start = ["sbin/posthaste", "-c", relay.directory, "start"]
    subprocess.run(start, cwd=prefix, check=True, timeout=60, stdout=subprocess.DEVNULL)
    relay.send()
    receiver.wait()
    master = relay.children()["master"][0]
    assert os.readlink(f"/proc/{master}/exe").startswith(prefix)
    relay.stop()
    relay.configure({"daemon_directory": LIBEXEC})
    subprocess.run(start, cwd=prefix, check=True, timeout=60, stdout=subprocess.DEVNULL)
    smtpd = relay.children()["smtpd"][0]
    assert os.readlink(f"/proc/{smtpd}/exe").startswith(os.path.realpath(LIBEXEC)), "daemon_directory is not obeyed"


def test_a_first_look_shows_what_it_is_and_how_to_begin():
    look = run(POSTHASTE, check=False)
    assert look.returncode == 2 and "a mail relay" in look.stderr and "posthaste init --mode relay" in look.stderr, look
    for how in ("--version", "version"):
        assert re.fullmatch(r"posthaste \d+\.\d+\.\d+\n", run(POSTHASTE, how).stdout), how


def test_a_check_that_finds_a_fault_does_not_speak_of_a_start():
    relay = Relay(start=False)
    assert relay.posthaste("check").stderr == ""
    relay.configure({"smtp_tls_security_level": "encrypt"})
    checked = relay.posthaste("check", check=False)
    assert checked.returncode != 0 and "mail would go out without TLS" in checked.stderr, checked
    assert "nothing was started" not in checked.stderr, checked
    assert "nothing was started" in relay.posthaste("start", check=False).stderr


def test_commands_say_what_is_missing():
    for command in ("start", "check"):
        result = run(POSTHASTE, "-c", "/nonexistent", command, check=False)
        assert result.returncode != 0 and "/nonexistent/main.cf" in result.stderr, (command, result.stderr)
        assert "posthaste init" in result.stderr, (command, result.stderr)
    for command in ("reload", "status", "stop", "abort"):
        result = run(POSTHASTE, "-c", "/nonexistent", command, check=False)
        assert result.returncode != 0 and "/nonexistent" in result.stderr + result.stdout, (command, result.stderr)
    result = run(POSTHASTE, "-c", "/nonexistent", "flush", check=False)
    assert result.returncode != 0 and "mail system is down" in result.stderr, result.stderr


main(globals())
