#!/usr/bin/python3
"""DNSSEC: what a trust anchor vouches for is delivered, what was changed after signing is not, and without an anchor the
relay says that it does not validate and works as before. The zone is signed here and served by a real name server."""

import os

import dns.dnssec
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from cryptography.hazmat.primitives.asymmetric import ec

from harness import Relay, free_port, main, scratch_directory
from name_server import NameServer
from receivers import AioReceiver

ORIGIN = dns.name.from_text("signed.test.")
HEAD = {("@", "SOA"): ["ns hostmaster 1 3600 600 86400 5"], ("@", "NS"): ["ns"], ("ns", "A"): ["127.0.0.1"]}
RECORDS = {("good", "MX"): ["10 mx2"], ("forged", "MX"): ["10 mx2"], ("mx2", "A"): ["127.0.0.2"]}


def signed_zone(forge):
    """(zone file records, DS): every record set signed; those in `forge` are changed afterwards."""
    key = ec.generate_private_key(ec.SECP256R1())
    dnskey = dns.dnssec.make_dnskey(key.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257)
    sets = [dns.rrset.from_text_list(dns.name.from_text(name, ORIGIN), 60, "IN", kind, values, origin=ORIGIN, relativize=False)
            for (name, kind), values in {**HEAD, **RECORDS}.items()]
    sets.append(dns.rrset.from_rdata(ORIGIN, 60, dnskey))
    lines = []
    for rrset in sets:
        signature = dns.dnssec.sign(rrset, key, ORIGIN, dnskey, lifetime=86400)
        text = rrset.to_text(origin=None, relativize=False)
        # nsd gets SOA and NS from its own head: only their signatures are added
        if not (rrset.name == ORIGIN and rrset.rdtype != dns.rdatatype.DNSKEY) and not rrset.name.to_text().startswith("ns."):
            for before, after in forge.items():
                if rrset.name == dns.name.from_text(before, ORIGIN):
                    text = text.replace(*after)
            lines.append(text)
        lines.append(f"{rrset.name} 60 IN RRSIG {signature.to_text()}")
    ds = dns.dnssec.make_ds(ORIGIN, dnskey, "SHA256")
    return "\n".join(lines) + "\n", f"signed.test. IN DS {ds.to_text()}\n"


class World:
    def __init__(self, anchor=None):
        zone, ds = signed_zone({"forged": ("mx2", "mx3")})
        self.names = NameServer({"signed.test": zone + "mx3 IN A 127.0.0.2\n"})
        path = os.path.join(scratch_directory("anchor"), "key")
        os.chmod(os.path.dirname(path), 0o755)
        with open(path, "w", encoding="ascii") as f:
            f.write(ds)
        port = free_port()
        self.receiver = AioReceiver("127.0.0.2", port)
        self.relay = Relay(settings={"dns_servers": self.names.address, "smtp_tcp_port": port, "relayhost": "",
                                     "inet_protocols": "ipv4", "dns_trust_anchor_file": path if anchor is None else anchor})

    def status(self, domain):
        queue_id = self.relay.send(recipients=[f"someone@{domain}"])
        return self.relay.wait_log(rf"{queue_id}: to=.*dsn=([\d.]+), status=(\w+) \((.*)\)$", 60)


def test_signed_and_right_is_delivered_and_forged_waits():
    world = World()
    assert world.status("good.signed.test").group(2) == "sent"
    outcome = world.status("forged.signed.test")
    assert outcome.group(2) == "deferred" and outcome.group(1) == "4.4.3", outcome.group(0)
    assert len(world.receiver.wait()) == 1


def test_without_an_anchor_nothing_is_validated_and_the_log_says_so():
    world = World(anchor="/nowhere/root.key")
    world.relay.wait_log(r"warning: dns_trust_anchor_file: /nowhere/root.key: .*: DNSSEC is not validated")
    assert world.status("forged.signed.test").group(2) == "sent"


main(globals())
