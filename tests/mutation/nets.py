"""The parts of src that mutate knows, and which tests could find a fault in each: the quickest first.

A net is a target to build and a command to run. Whatever ends with another code than 0, or does not end, has found the fault.
"""

import dataclasses
import os


@dataclasses.dataclass(frozen=True)
class Net:
    name: str
    target: str
    command: tuple          # of paths below the build directory, and arguments


def unit(folder, target):
    return Net(target, target, (os.path.join(folder, target), "--gtest_brief=1", "--gtest_fail_fast"))


def fuzz(*names):
    return tuple(Net(f"fuzz_{name}", f"fuzz_{name}", (f"tests/fuzz/fuzz_{name}", f"tests/fuzz/corpus/{name}"))
                 for name in names)


MAIL = unit("src/mail", "mail_test")
LOOKUP = unit("src/lookup", "lookup_test")
SMTP_SERVICE = unit("tests/simulation/smtp", "smtp_service_test")
SMTPD_SERVICE = unit("tests/simulation/smtpd", "smtpd_service_test")
SMUGGLING = unit("tests/hostile", "smuggling_test")
RELAY = Net("relay_simulation", "relay_simulation", ("tests/simulation/relay/relay_simulation", "--seeds", "150"))


@dataclasses.dataclass(frozen=True)
class Part:
    folders: tuple
    nets: tuple


PARTS = {
    "scheduler": Part(("src/scheduler",), (unit("src/scheduler", "scheduler_test"), *fuzz("qmgr_wires"), RELAY)),
    "store": Part(("src/store",), (
        unit("src/store", "store_test"), *fuzz("store_value", "log_end", "store_wires"), RELAY)),
    "smtpd": Part(("src/ingress/smtpd",), (
        unit("src/ingress/smtpd", "smtpd_test"), SMTPD_SERVICE, *fuzz("smtpd_session", "smtpd_wires", "relay_session"),
        SMUGGLING, RELAY)),
    "smtp": Part(("src/egress/smtp",), (
        unit("src/egress/smtp", "smtp_test"), SMTP_SERVICE, *fuzz("smtp_session", "smtp_wires", "relay_session"),
        SMUGGLING, RELAY)),
    "cleanup": Part(("src/cleanup/cleanup",), (
        unit("src/cleanup/cleanup", "cleanup_test"), *fuzz("header_pass", "cleanup_wires"), RELAY)),
    "rewrite": Part(("src/cleanup/rewrite",), (
        unit("src/cleanup/rewrite", "rewrite_test"), *fuzz("dns_answer", "tables", "rewrite_wires"), RELAY)),
    "runtime": Part(("src/runtime",), (
        unit("src/runtime", "runtime_test"), unit("src/runtime/settings", "settings_test"),
        unit("tests/simulation", "simulation_world_test"),
        *fuzz("ring_record", "handshake", "control_message", "main_cf", "master_cf"),
        unit("src/master", "master_test"), SMTPD_SERVICE, RELAY)),
    "mail": Part(("src/mail",), (
        MAIL, *fuzz("address", "smtp_command", "smtp_reply", "end_of_data", "headers", "envelope", "queue_state", "queue_id",
                    "wire_record"),
        unit("src/ingress/smtpd", "smtpd_test"), unit("src/egress/smtp", "smtp_test"), SMUGGLING, RELAY)),
    "lookup": Part(("src/lookup",), (LOOKUP, *fuzz("tables"), unit("src/ingress/smtpd", "smtpd_test"))),
    "master": Part(("src/master",), (
        unit("src/master", "master_test"), unit("src/master/postlogd", "postlogd_test"), *fuzz("log_line"), RELAY)),
}
