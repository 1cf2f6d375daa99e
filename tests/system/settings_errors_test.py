#!/usr/bin/python3
"""A configuration with an error starts nothing and says file, line and remedy; an unknown parameter is only warned of."""

import os

from harness import Relay, can_connect, main
from receivers import AioReceiver


def append(path, text):
    """Returns the number of the first line added."""
    with open(path, encoding="utf-8") as f:
        lines = f.read().count("\n")
    with open(path, "a", encoding="utf-8") as f:
        f.write(text)
    return lines + 1


def assert_refused(relay, file, line, *words):
    for command in ("check", "start"):
        result = relay.posthaste(command, check=False)
        said = result.stdout + result.stderr
        assert result.returncode != 0, (command, words, said)
        assert f"{file}:{line}" in said, (command, f"no {file}:{line} in", said)
        for word in words:
            assert word in said, (command, word, said)
    assert not can_connect(relay.port) and not relay.is_running()


def test_errors_in_main_cf_name_their_line():
    for text, words in (("message_size_limit = much\n", ["message_size_limit"]),
                        ("maximal_backoff_time = 5 fortnights\n", ["maximal_backoff_time"]),
                        ("sandbox = maybe\n", ["sandbox", "strict"]),
                        ("smtputf8_enable = perhaps\n", ["smtputf8_enable"]),
                        ("worker_processes = 100000\n", ["worker_processes"]),
                        ("this line has no equals sign\n", ["="]),
                        ("myhostname = $mydomain\nmydomain = $myhostname\n", [])):
        relay = Relay(start=False)
        assert_refused(relay, "main.cf", append(relay.main_cf(), text), *words)


def test_all_errors_are_shown_at_once():
    relay = Relay(start=False)
    line = append(relay.main_cf(), "message_size_limit = much\nsandbox = maybe\n")
    said = relay.posthaste("check", check=False).stderr
    assert f"main.cf:{line}:" in said and f"main.cf:{line + 1}:" in said, said


def test_errors_in_master_cf_name_their_line():
    for text, words in (("nosuch unix - - y - - nosuchprogram\n", ["nosuchprogram"]),
                        ("qmgr2 unix - - y - 1 qmgr\n", ["qmgr"]),
                        ("127.0.0.1:99999 inet n - y - - smtpd\n", []),
                        ("127.0.0.1:0 inet n - y - - smtpd -o message_size_limit=much\n", ["message_size_limit"]),
                        ("too few columns\n", [])):
        relay = Relay(start=False)
        assert_refused(relay, "master.cf", append(os.path.join(relay.directory, "master.cf"), text), *words)


def test_an_open_relay_does_not_start():
    relay = Relay(start=False)
    relay.configure({"smtpd_relay_restrictions": "permit_mynetworks", "smtpd_recipient_restrictions": ""})
    result = relay.posthaste("start", check=False)
    said = result.stdout + result.stderr
    assert result.returncode != 0 and "smtpd_relay_restrictions" in said and "reject_unauth_destination" in said, said
    assert not relay.is_running() and not can_connect(relay.port)


# What only the services themselves can judge, and what is judged with them.
WOULD_STOP = (
    ("transport_maps = hash:/etc/postfix/transport\n", ["texthash:/etc/postfix/transport"]),
    ("transport_maps = texthash:/nonexistent/transport\n", ["/nonexistent/transport"]),
    ("mynetworks = hash:/x\n", ["hash:/x"]),
    ("mynetworks = /nonexistent/networks\n", ["/nonexistent/networks"]),
    ("relay_domains = btree:/x\n", ["texthash:/x"]),
    ("mydestination = /nonexistent/domains\n", ["/nonexistent/domains"]),
    ("smtpd_recipient_restrictions = reject_unauth_destinatoin\n", ["reject_unauth_destination?"]),
    ("smtpd_client_restrictions = check_policy_service unix:policy\n", ["check_policy_service"]),
    ("relayhost = [10.0.0.1:25\n", ["]"]),
    ("relayhost = mail.test:99999\n", ["65535"]),
    ("relayhost = [127.0.0.1]:14000  # our smarthost\n", ["comment"]),
    ("minimal_backoff_time = 2h\n", ["maximal_backoff_time"]),
    ("message_size_limit = 500M\n", ["126 MiB", "at most"]),
    ("local_header_rewrite_clients = permit_everybody\n", ["permit_everybody"]),
    ("maillog_file = /nonexistent/mail.log\n", ["/nonexistent/mail.log"]),
)


def test_what_a_service_would_not_live_by_does_not_start():
    for text, words in WOULD_STOP:
        relay = Relay(start=False)
        with open(relay.main_cf(), encoding="utf-8") as f:
            kept = [line for line in f if not line.startswith(text.split()[0])]
        with open(relay.main_cf(), "w", encoding="utf-8") as f:
            f.write("".join(kept))
        assert_refused(relay, "main.cf", append(relay.main_cf(), text), *words)


def test_a_reload_refuses_what_a_start_would():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    pids = relay.children()
    with open(relay.main_cf(), encoding="utf-8") as f:
        good = f.read()
    for text, words in WOULD_STOP:
        with open(relay.main_cf(), "w", encoding="utf-8") as f:
            f.write(good)
        line = append(relay.main_cf(), text)
        result = relay.posthaste("reload", check=False)
        assert result.returncode == 1 and f"error: {relay.main_cf()}:{line}: " in result.stderr, (text, result.stderr)
        for word in words:
            assert word in result.stderr, (word, result.stderr)
        assert relay.children() == pids, text
    relay.send()
    receiver.wait()
    with open(relay.main_cf(), "w", encoding="utf-8") as f:
        f.write(good)
    relay.reload()


def test_a_check_starts_nothing_and_does_not_speak_of_it():
    relay = Relay(start=False)
    append(relay.main_cf(), "sandbox = maybe\n")
    said = relay.posthaste("check", check=False)
    assert said.returncode == 1 and "nothing was started" not in said.stdout + said.stderr, said.stderr
    assert "nothing was started" in relay.posthaste("start", check=False).stderr
    assert not os.path.exists(relay.log_file), "a check makes no log"


def test_an_unknown_parameter_is_warned_of_and_the_relay_starts():
    receiver = AioReceiver()
    relay = Relay(receiver.port, start=False)
    line = append(relay.main_cf(), "mesage_size_limit = 5\n")
    result = relay.posthaste("start")
    said = result.stdout + result.stderr
    assert "warning" in said and "mesage_size_limit" in said and f"main.cf:{line}" in said, said
    relay.send()
    receiver.wait()


def test_a_reload_with_an_error_changes_nothing():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    pids = relay.children()
    line = append(relay.main_cf(), "message_size_limit = much\n")
    result = relay.posthaste("reload", check=False)
    assert result.returncode == 1 and f"main.cf:{line}" in result.stderr, result.stderr
    relay.send()
    receiver.wait()
    assert relay.children() == pids


main(globals())
