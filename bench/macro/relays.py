"""The two relays as the benchmark runs them, tuned and equally careful: both sync before they say 250.

Each listens on a port of its own on 127.0.0.1 and hands everything to the sink. Neither touches port 25 or a mail
server that the machine already runs: Postfix is started from a configuration and queue of its own.
"""

import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time

from accounting import Group

BUILD = os.path.abspath(os.environ.get("POSTHASTE_BUILD", os.path.join(os.path.dirname(__file__), "../../build/release")))
ARRIVALS = os.path.join(BUILD, "bench/macro/load/posthaste-arrivals")
FILL_QUEUE = os.path.join(BUILD, "bench/macro/load/posthaste-fill-queue")


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.01)


class Posthaste:
    name = "posthaste"

    def __init__(self, port, sink_port, settings=None, build=BUILD, group=None):
        self.port = port
        self.directory = tempfile.mkdtemp(prefix="bench-posthaste-", dir="/var/tmp")
        os.chmod(self.directory, 0o755)
        self.build = build
        self.sink_port = sink_port
        self.group = Group(group or self.name)
        self.program = os.path.join(build, "sbin/posthaste")
        self.group.run([self.program, "-c", self.directory, "init", "--mode", "bulk", "--listen", f"127.0.0.1:{port}"])
        values = {"relayhost": f"[127.0.0.1]:{sink_port}", "mynetworks": "127.0.0.0/8",
                  "smtpd_client_connection_count_limit": "0", "default_destination_concurrency_limit": "40",
                  "initial_destination_concurrency": "20", **(settings or {})}
        self.group.run([os.path.join(self.build, "sbin/postconf"), "-c", self.directory, "-e",
                        *[f"{k} = {v}" for k, v in values.items()]])

    def start(self):
        self.group.run([self.program, "-c", self.directory, "start"])

    def counters(self):
        """{program: {counter: sum over its processes}}, as `posthaste status` has them."""
        out = subprocess.run([self.program, "-c", self.directory, "status", "--json"], check=True, capture_output=True, text=True)
        totals = {}
        for process in json.loads(out.stdout).get("processes", []):
            counters = totals.setdefault(process["process"].split("/")[0], {})
            for each in process.get("counters", []):
                counters[each["name"]] = counters.get(each["name"], 0) + each["value"]
        return totals

    def stop(self):
        subprocess.run([self.program, "-c", self.directory, "stop"], capture_output=True, timeout=60)

    def queued(self):
        out = subprocess.run([os.path.join(self.build, "sbin/postqueue"), "-c", self.directory, "-j"], capture_output=True, text=True)
        return len(out.stdout.splitlines())

    def remove(self):
        self.stop()
        self.group.remove()
        shutil.rmtree(self.directory, ignore_errors=True)


class Postfix:
    name = "postfix"

    def __init__(self, port, sink_port):
        self.port = port
        self.directory = tempfile.mkdtemp(prefix="bench-postfix-", dir="/var/tmp")
        os.chmod(self.directory, 0o755)
        self.group = Group(self.name)
        for part in ("etc", "spool", "data"):
            os.mkdir(os.path.join(self.directory, part))
        owner = pwd.getpwnam("postfix")
        os.chown(os.path.join(self.directory, "data"), owner.pw_uid, owner.pw_gid)
        self.config = os.path.join(self.directory, "etc")
        main = {
            "compatibility_level": "3.6", "queue_directory": f"{self.directory}/spool", "data_directory": f"{self.directory}/data",
            "maillog_file": f"{self.directory}/maillog", "maillog_file_prefixes": "/var",
            "myhostname": "bench.test", "mydestination": "", "mynetworks": "127.0.0.0/8", "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4", "relayhost": f"[127.0.0.1]:{sink_port}", "smtp_tls_security_level": "none",
            "smtpd_tls_security_level": "none", "alias_maps": "", "alias_database": "", "local_recipient_maps": "",
            # tuned: no throttling between its own parts, connections kept, as many processes as sessions
            "in_flow_delay": "0", "default_process_limit": "250", "qmgr_message_active_limit": "40000",
            "smtpd_client_connection_count_limit": "0", "smtpd_client_connection_rate_limit": "0",
            "default_destination_concurrency_limit": "40", "initial_destination_concurrency": "20",
            "smtp_connection_cache_on_demand": "yes", "smtp_connection_cache_destinations": f"[127.0.0.1]:{sink_port}",
            "max_use": "10000", "smtpd_peername_lookup": "no", "enable_long_queue_ids": "yes", "hash_queue_depth": "1",
        }
        with open(os.path.join(self.config, "main.cf"), "w") as f:
            f.writelines(f"{k} = {v}\n" for k, v in main.items())
        with open(os.path.join(self.config, "master.cf"), "w") as f:
            f.write(f"127.0.0.1:{port} inet n - n - - smtpd\n"
                    "cleanup unix n - n - 0 cleanup\nqmgr unix n - n 300 1 qmgr\nrewrite unix - - n - - trivial-rewrite\n"
                    "bounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\n"
                    "flush unix n - n 1000? 0 flush\nproxymap unix - - n - - proxymap\nsmtp unix - - n - - smtp\n"
                    "relay unix - - n - - smtp\nshowq unix n - n - - showq\nerror unix - - n - - error\n"
                    "retry unix - - n - - error\ndiscard unix - - n - - discard\nanvil unix - - n - 1 anvil\n"
                    "scache unix - - n - 1 scache\ntlsmgr unix - - n 1000? 1 tlsmgr\npostlog unix-dgram n - n - 1 postlogd\n")

    def start(self):
        self.group.run(["/usr/sbin/postfix", "-c", self.config, "start"])

    def stop(self):
        subprocess.run(["/usr/sbin/postfix", "-c", self.config, "stop"], capture_output=True, timeout=60)

    def queued(self):
        return sum(len(files) for part in ("incoming", "active", "deferred")
                   for _, _, files in os.walk(os.path.join(self.directory, "spool", part)))

    def remove(self):
        self.stop()
        self.group.remove()
        shutil.rmtree(self.directory, ignore_errors=True)


class Sink:
    """Debian's smtp-sink; says how many messages it took."""

    def __init__(self, port):
        self.port = port
        self.output = tempfile.TemporaryFile()
        self.process = subprocess.Popen(["/usr/sbin/smtp-sink", "-u", "postfix", "-c", f"127.0.0.1:{port}", "1024"],
                                        stdout=self.output, stderr=subprocess.DEVNULL)
        time.sleep(0.3)
        if self.process.poll() is not None:
            raise RuntimeError("smtp-sink did not start")

    def messages(self):
        """-c writes "sess=S quit=Q mesg=M" over and over, behind a carriage return each."""
        size = os.fstat(self.output.fileno()).st_size
        tail = os.pread(self.output.fileno(), 400, max(0, size - 400)).decode("ascii", "replace")
        counts = re.findall(r"mesg=(\d+) *\r", tail)
        return int(counts[-1]) if counts else 0

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
