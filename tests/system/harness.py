"""What every system test stands on: a relay of its own on free ports, a sink behind it, and the log.

A story is one file with functions test_*; main(globals()) runs them and exits 0 or 1. Each relay lives in a directory of
its own under /var/tmp, is started and stopped by its test, and is stopped even when the test fails. Nothing waits for a
fixed time: wait_until() asks again until a bound is reached.
"""

import json
import os
import random
import re
import shutil
import signal
import smtplib
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

BUILD = os.environ.get("POSTHASTE_BUILD", os.path.join(os.path.dirname(__file__), "../../build/release"))
BUILD = os.path.abspath(BUILD)
POSTHASTE = os.path.join(BUILD, "sbin/posthaste")
POSTCONF = os.path.join(BUILD, "sbin/postconf")
POSTQUEUE = os.path.join(BUILD, "sbin/postqueue")
MAILQ = os.path.join(BUILD, "bin/mailq")
LIBEXEC = os.path.join(BUILD, "libexec/posthaste")
SINK = os.path.join(LIBEXEC, "posthaste-sink")
SOURCE = os.path.join(LIBEXEC, "posthaste-source")

_cleanups = []
_given_ports = set()


def free_port():
    """A TCP port of 127.0.0.1 that nobody uses, and that no one else in this run was given.

    Not one the kernel gives to outgoing connections (32768 and up): such a one may be taken by any of them before we
    listen, and who connects to it while nobody listens may meet itself."""
    while True:
        port = random.randrange(12000, 32000)
        if port in _given_ports:
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given_ports.add(port)
        return port


def wait_until(condition, seconds=30, what="condition"):
    """Asks until condition() is true; returns its value. The bound is for a broken relay, not for a slow machine."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.02)


def run(*command, check=True, **kwargs):
    kwargs.setdefault("timeout", 120)
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True, **kwargs)
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: exit {result.returncode}\n{result.stdout}{result.stderr}")
    return result


class Sink:
    """Our own receiving server; remembers the tag of every message."""

    def __init__(self, *options, port=None):
        self.port = port or free_port()
        self.record = tempfile.mktemp(prefix="posthaste-sink-", dir="/var/tmp")
        self.options = options
        self.process = None
        _cleanups.append(self.remove)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [SINK, "--listen", f"127.0.0.1:{self.port}", "--record", self.record, *map(str, self.options)],
            stdout=subprocess.DEVNULL)
        wait_until(lambda: can_connect(self.port), what="the sink to listen")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def remove(self):
        self.stop()
        if os.path.exists(self.record):
            os.unlink(self.record)

    def tags(self):
        """Tags in order of arrival, '' for messages without."""
        if not os.path.exists(self.record):
            return []
        with open(self.record) as f:
            return [line.rsplit(" ", 2)[0] for line in f if line.endswith("\n")]


def remember_to(clean_up):
    """clean_up() is called when the running test ends, however it ends; the last one first."""
    _cleanups.append(clean_up)


def scratch_directory(name="scratch"):
    directory = tempfile.mkdtemp(prefix=f"posthaste-{name}-", dir="/var/tmp")
    os.chmod(directory, 0o755)
    remember_to(lambda: shutil.rmtree(directory, ignore_errors=True))
    return directory


def tool(name):
    """The path of somebody else's program."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    assert found, f"{name} is not installed (sudo deploy/install_packages test)"
    return found


def is_alive(pid):
    """A zombie is dead: who reaps it is not ours to say."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def can_connect(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), 1).close()
        return True
    except OSError:
        return False


class Relay:
    """One instance of Posthaste in a directory of its own."""

    def __init__(self, relayhost_port=None, mode="bulk", settings=None, start=True):
        self.directory = tempfile.mkdtemp(prefix="posthaste-", dir="/var/tmp")
        os.chmod(self.directory, 0o755)
        self.port = free_port()
        self._log_file = None
        _cleanups.append(self.remove)
        run(POSTHASTE, "-c", self.directory, "init", "--mode", mode, "--listen", f"127.0.0.1:{self.port}")
        values = dict(settings or {})
        values.setdefault("mydestination", "")
        if relayhost_port:
            values.setdefault("relayhost", f"[127.0.0.1]:{relayhost_port}")
        self.configure(values)
        if start:
            self.start()

    def configure(self, values):
        run(POSTCONF, "-c", self.directory, "-e", *[f"{name} = {value}" for name, value in values.items()])

    def posthaste(self, *arguments, check=True):
        return run(POSTHASTE, "-c", self.directory, *arguments, check=check)

    def start(self):
        self.posthaste("start")

    def stop(self):
        self.posthaste("stop")

    def reload(self, values=None):
        if values:
            self.configure(values)
        self.posthaste("reload")

    def flush(self):
        self.posthaste("flush")

    def is_running(self):
        return self.posthaste("status", check=False).returncode != 1

    def is_whole(self):
        """It runs, all of it."""
        return self.posthaste("status", check=False).returncode == 0

    def counter(self, program, name):
        """Of `posthaste status`, the sum over the program's processes."""
        status = json.loads(self.posthaste("status", "--json", check=False).stdout)
        return sum(each["value"] for process in status["processes"] + status["former"] if process["process"].split("/")[0] == program
                   for each in process.get("counters", []) if each["name"] == name)

    def send(self, message="Subject: a test\r\n\r\nhello\r\n", sender="sender@sender.test",
             recipients=("someone@dest.test",), mail_options=(), rcpt_options=()):
        """One message by smtplib; returns its queue id."""
        if isinstance(message, str):
            message = message.encode()
        with smtplib.SMTP("127.0.0.1", self.port, "client.test", timeout=30) as client:
            client.ehlo()
            code, reply = client.mail(sender, list(mail_options))
            assert code == 250, reply
            for recipient in recipients:
                code, reply = client.rcpt(recipient, list(rcpt_options))
                assert code == 250, reply
            code, reply = client.data(message)
            assert code == 250, reply
        return re.search(rb"queued as (\w+)", reply).group(1).decode()

    def mailq(self, *options):
        return run(POSTQUEUE, "-c", self.directory, *(options or ("-p",))).stdout

    def main_cf(self):
        return os.path.join(self.directory, "main.cf")

    def remove(self):
        if os.path.exists(os.path.join(self.directory, "main.cf")):
            self.posthaste("abort", check=False)
        if os.environ.get("POSTHASTE_KEEP"):
            print("kept:", self.directory)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)

    def value(self, name):
        return run(POSTCONF, "-c", self.directory, "-h", name).stdout.strip()

    @property
    def log_file(self):
        if not self._log_file:
            self._log_file = self.value("maillog_file")
        return self._log_file

    def log(self):
        path = self.log_file
        if not os.path.exists(path):
            return ""
        with open(path, errors="replace") as f:
            return f.read()

    def wait_log(self, pattern, seconds=30):
        """The first match of the regular expression in the log."""
        expression = re.compile(pattern, re.MULTILINE)
        try:
            return wait_until(lambda: expression.search(self.log()), seconds, f"a log line like {pattern!r}")
        except AssertionError as e:
            raise AssertionError(f"{e}; the log ends:\n" + "\n".join(self.log().splitlines()[-30:])) from None

    def queue(self):
        """postqueue -j, parsed."""
        out = run(POSTQUEUE, "-c", self.directory, "-j").stdout
        return [json.loads(line) for line in out.splitlines()]

    def wait_deferred(self, count=None, seconds=60):
        """Waits until whatever is queued is deferred, and is `count` messages. A line of the log does not say so: an agent
        logs its outcome before qmgr, and so the list of the queue, knows of it."""
        found = []

        def is_so():
            found[:] = self.queue()
            return all(m["queue_name"] == "deferred" for m in found) and count in (None, len(found))
        try:
            wait_until(is_so, seconds, f"{'everything' if count is None else count} to be deferred")
        except AssertionError as e:
            others = [m for m in found if m["queue_name"] != "deferred"]
            raise AssertionError(f"{e}: {len(found)} messages, of which these are not: {others[:5]}") from None

    def wait_queue_empty(self, seconds=60):
        wait_until(lambda: not self.queue(), seconds, "an empty queue")

    def children(self):
        """{program: [pid, …]} of this instance's processes, master included."""
        with open(os.path.join(self.value("queue_directory"), "pid/master.pid")) as f:
            master = int(f.read().strip())
        found = {"master": [master]}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat") as f:
                    name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
            except OSError:
                continue
            if int(rest.split()[1]) == master and rest.split()[0] != "Z":
                found.setdefault(name, []).append(int(pid))
        return found

    def kill(self, program, sig=signal.SIGKILL):
        pids = self.children()[program]
        for pid in pids:
            os.kill(pid, sig)
        return pids


class Smtp:
    """A raw SMTP client: says bytes, hears lines. For what no client library would send."""

    def __init__(self, port, timeout=20, source=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout, (source, 0) if source else None)
        self.file = self.socket.makefile("rb")

    def hear(self):
        """One whole reply as text, '' at the end of the stream."""
        lines = []
        while True:
            try:
                line = self.file.readline()
            except ConnectionResetError:
                line = b""
            lines.append(line.decode("utf-8", "replace"))
            if len(line) < 4 or line[3:4] != b"-":
                return "".join(lines)

    def say(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def ask(self, line):
        self.say(line + "\r\n" if isinstance(line, str) else line)
        return self.hear()

    def greet(self):
        """Past the greeting and EHLO, to where MAIL may come. Returns EHLO's reply."""
        assert self.hear().startswith("220 ")
        return self.ask("EHLO client.test")

    def envelope(self, sender="sender@sender.test", recipient="someone@dest.test"):
        """Past RCPT, to where DATA or BDAT may come."""
        for command in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>"):
            reply = self.ask(command)
            assert reply.startswith("250"), (command, reply)

    def is_over(self):
        """Waits for the server to hang up; what it says first is returned by hear()."""
        return self.hear() == ""

    def reset(self):
        """Vanishes as a crashed client does: no QUIT, no FIN, a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()


def source(relay, *options, check=True):
    return run(SOURCE, "--server", f"127.0.0.1:{relay.port}", *options, check=check)


def main(namespace):
    """Runs every test_* of a story in the order of the file."""
    if os.geteuid() != 0:
        print("system tests need root (chroots, users, namespaces): run them with sudo", file=sys.stderr)
        sys.exit(1)
    if not os.path.exists(POSTHASTE):
        print(f"no build at {BUILD}: cmake --preset release && ninja -C build/release", file=sys.stderr)
        sys.exit(1)
    wanted = sys.argv[1:]
    tests = [(n, f) for n, f in namespace.items() if n.startswith("test_") and callable(f) and (not wanted or n in wanted)]
    failed = 0
    for name, test in tests:
        began = time.monotonic()
        try:
            test()
            print(f"ok      {name}  ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED  {name}", flush=True)
            traceback.print_exc(file=sys.stdout)
        finally:
            for cleanup in reversed(_cleanups):
                try:
                    cleanup()
                except Exception:
                    traceback.print_exc(file=sys.stdout)
            _cleanups.clear()
    print(f"{len(tests) - failed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed or not tests else 0)
