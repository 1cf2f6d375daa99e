"""The two relays, each with a configuration of its own, in a network namespace of the test's: port 25 and the machine's mail
server are out of reach. Both get the same settings, the same tables and the same server behind them."""

import json
import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system"))
from harness import BUILD

COMMON = {
    "myhostname": "relay.test", "mydestination": "", "mynetworks": "127.0.0.0/8", "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4", "smtpd_banner": "$myhostname ESMTP", "smtpd_client_connection_count_limit": "0",
    "relay_domains": "", "recipient_delimiter": "", "mail_name": "Postfix", "smtpd_discard_ehlo_keywords": "etrn",
    # What one scenario's server does is not to be held against the next one's.
    "default_destination_concurrency_failed_cohort_limit": "1000",
}
POSTFIX_ONLY = {
    "compatibility_level": "3.6", "maillog_file_prefixes": "/var", "smtp_tls_security_level": "none",
    "smtpd_tls_security_level": "none", "alias_maps": "", "alias_database": "", "local_recipient_maps": "",
    "smtp_connection_cache_on_demand": "no", "enable_long_queue_ids": "yes", "queue_run_delay": "300s", "in_flow_delay": "0",
    "smtpd_forbid_bare_newline": "normalize", "smtpd_peername_lookup": "yes", "max_use": "1000",
    "notify_classes": "",
}
POSTFIX_MASTER = """pickup unix n - n 3600 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


class Instance:
    """What both have: a directory, a log that is read from where the last scenario ended, a queue listing."""

    started = False

    def __init__(self, settings):
        self.directory = tempfile.mkdtemp(prefix=f"differential-{self.name}-", dir="/var/tmp")
        os.chmod(self.directory, 0o755)
        self.log_path = os.path.join(self.directory, "mail.log")
        self.log_read = 0
        self.settings = settings

    def write(self, values, master, story):
        """main.cf of these values, master.cf of this text, and what the scenario adds to both."""
        with open(os.path.join(self.config, "main.cf"), "w", encoding="utf-8") as f:
            f.writelines(f"{line}\n" for line in story.main)  # first: both name the same lines in what they complain about
            own = {line.partition("=")[0].strip() for line in story.main}
            self.base = [f"{name} = {value}\n" for name, value in values.items() if name not in own]
            f.writelines(self.base)
        with open(os.path.join(self.config, "master.cf"), "w", encoding="utf-8") as f:
            f.write("".join(f"{line}\n" for line in story.master).replace("127.0.0.1:PORT", f"127.0.0.1:{self.port + 10}") + master)
        if any("127.0.0.1:PORT" in line for line in story.master):
            self.port += 10
        for name, lines in story.files.items():
            with open(os.path.join(self.config, name), "w", encoding="utf-8") as f:
                f.writelines(f"{line}\n" for line in lines)
        self.look_old()

    def look_old(self):
        """Postfix reads a file that was written within this second again and again, 0.3 s apart."""
        for name in os.listdir(self.config):
            path = os.path.join(self.config, name)
            if os.path.isfile(path):
                os.utime(path, (1e9, 1e9))

    def log(self):
        """Lines since mark(), without their dates."""
        if not os.path.exists(self.log_path):
            return []
        with open(self.log_path, encoding="utf-8", errors="surrogateescape") as f:
            f.seek(self.log_read)
            return [line.rstrip("\n") for line in f]

    def mark(self):
        self.log_read = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0

    def has_said_all(self, lines):
        """Whether nothing more is to come of a message whose recipients all have an outcome among these lines of its."""
        return any(": removed" in line or "status=deferred" in line for line in lines)

    def queue(self):
        out = subprocess.run([*self.postqueue, "-j"], capture_output=True, text=True, timeout=60, check=False).stdout
        return [json.loads(line) for line in out.splitlines() if line.startswith("{")]

    def run(self, command):
        """A command line with this relay's programs and configuration."""
        program, *arguments = shlex.split(command)
        if program == "cat":  # what the scenario and its commands made of a file
            with open(os.path.join(self.config, arguments[0]), encoding="utf-8") as f:
                return "".join(line for line in f if line not in self.base)
        done = subprocess.run([self.program(program), "-c", self.config, *arguments], capture_output=True, text=True, timeout=60,
                              check=False)
        self.look_old()
        return f"exit {done.returncode}\n{done.stdout}{done.stderr}".replace(self.program(program), program)


class Postfix(Instance):
    name = "postfix"
    port = 2501

    def __init__(self, settings, story):
        super().__init__(settings)
        for part in ("etc", "spool", "data"):
            os.mkdir(os.path.join(self.directory, part))
        owner = pwd.getpwnam("postfix")
        os.chown(os.path.join(self.directory, "data"), owner.pw_uid, owner.pw_gid)
        self.config = os.path.join(self.directory, "etc")
        self.postqueue = ["/usr/sbin/postqueue", "-c", self.config]
        values = {**COMMON, **POSTFIX_ONLY, "queue_directory": f"{self.directory}/spool", "data_directory": f"{self.directory}/data",
                  "maillog_file": self.log_path, **settings}
        self.write(values, f"127.0.0.1:{self.port} inet n - n - - smtpd\n{POSTFIX_MASTER}", story)

    @staticmethod
    def program(name):
        return shutil.which(name, path="/usr/sbin:/usr/bin")

    def start(self):
        self.started = True
        done = subprocess.run(["/usr/sbin/postfix", "-c", self.config, "start"], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise RuntimeError(f"postfix does not start: {done.stdout}{done.stderr}\n" + "\n".join(self.log()[-10:]))

    def remove(self):
        if self.started:
            subprocess.run(["/usr/sbin/postfix", "-c", self.config, "abort"], capture_output=True, timeout=60, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


class Posthaste(Instance):
    name = "posthaste"

    port = 2502

    def __init__(self, settings, story):
        super().__init__(settings)
        self.config = self.directory
        self.postqueue = [os.path.join(BUILD, "sbin/postqueue"), "-c", self.config]
        subprocess.run([os.path.join(BUILD, "sbin/posthaste"), "-c", self.config, "init", "--mode", "relay", "--listen",
                        f"127.0.0.1:{self.port}"], check=True, capture_output=True, timeout=60)
        queue = self.run("postconf -h queue_directory").splitlines()[1]
        values = {**COMMON, "queue_directory": queue, "maillog_file": self.log_path, "worker_processes": "1",
                  "smtp_connection_reuse_count_limit": "1", **settings}
        with open(os.path.join(self.config, "master.cf"), encoding="utf-8") as f:
            self.write(values, f.read(), story)

    def has_said_all(self, lines):
        if any("status=bounced (" in line for line in lines):
            return any("placed on hold" in line for line in lines)
        return super().has_said_all(lines)

    @staticmethod
    def program(name):
        for folder in ("sbin", "bin"):
            path = os.path.join(BUILD, folder, name)
            if os.path.exists(path):
                return path
        raise RuntimeError(f"{BUILD} has no {name}")

    def start(self):
        done = subprocess.run([self.program("posthaste"), "-c", self.config, "start"], capture_output=True, text=True, timeout=60,
                              check=False)
        if done.returncode:
            raise RuntimeError(f"posthaste does not start: {done.stdout}{done.stderr}")

    def remove(self):
        subprocess.run([self.program("posthaste"), "-c", self.config, "abort"], capture_output=True, timeout=60, check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


_QUEUED = re.compile(rb"queued as (\w+)")


def queue_ids(replies):
    return [match.decode() for reply in replies for match in _QUEUED.findall(reply)]
