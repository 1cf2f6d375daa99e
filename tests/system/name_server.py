"""NSD, a real authoritative name server, on a free port of 127.0.0.1 with a zone of the test's own."""

import os
import subprocess

import dns.message
import dns.query

from harness import free_port, remember_to, scratch_directory, tool, wait_until

HEAD = """$ORIGIN {zone}.
$TTL 60
@ IN SOA ns hostmaster 1 3600 600 86400 5
@ IN NS ns
ns IN A 127.0.0.1
"""


class NameServer:
    def __init__(self, zones):
        """zones: {"test": "one IN MX 10 mx1\\n…"}; SOA and NS are added."""
        self.port = free_port()
        directory = scratch_directory("nsd")
        config = ["server:", f"  ip-address: 127.0.0.1@{self.port}", '  username: ""', '  chroot: ""', '  pidfile: ""',
                  f'  zonesdir: "{directory}"', '  database: ""', f'  zonelistfile: "{directory}/zone.list"',
                  f'  xfrdfile: "{directory}/xfrd.state"', f'  xfrdir: "{directory}"', "  server-count: 1",
                  "  rrl-ratelimit: 0", "remote-control:", "  control-enable: no"]
        for zone, records in zones.items():
            with open(os.path.join(directory, zone + ".zone"), "w", encoding="utf-8") as f:
                f.write(HEAD.format(zone=zone) + records)
            config += ["zone:", f'  name: "{zone}"', f'  zonefile: "{zone}.zone"']
        path = os.path.join(directory, "nsd.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(config) + "\n")
        self.log = open(os.path.join(directory, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([tool("nsd"), "-d", "-c", path], stdout=self.log, stderr=self.log)
        remember_to(self.stop)
        zone = next(iter(zones))
        wait_until(lambda: self.answers(f"{zone}.", "SOA"), what="nsd to answer")

    @property
    def address(self):
        """As dns_servers wants it."""
        return f"127.0.0.1@{self.port}"

    def answers(self, name, kind):
        if self.process.poll() is not None:
            self.log.seek(0)
            raise AssertionError("nsd ended:\n" + self.log.read())
        try:
            answer = dns.query.udp(dns.message.make_query(name, kind), "127.0.0.1", port=self.port, timeout=0.5)
        except (dns.exception.Timeout, OSError):
            return False
        return bool(answer.answer)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None
            self.log.close()
