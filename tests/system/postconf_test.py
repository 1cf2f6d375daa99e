#!/usr/bin/python3
"""postconf, as scripts use it: defaults, what main.cf sets, one value, and editing that leaves the rest alone."""

import os

from harness import POSTCONF, Relay, main, run


def postconf(relay, *options, check=True):
    return run(POSTCONF, "-c", relay.directory, *options, check=check)


def test_defaults_settings_and_one_value():
    relay = Relay(start=False)
    defaults = postconf(relay, "-d").stdout.splitlines()
    assert "maximal_backoff_time = 4000s" in defaults and defaults == sorted(defaults) and len(defaults) > 100
    assert postconf(relay, "maximal_backoff_time").stdout == "maximal_backoff_time = 4000s\n"
    assert postconf(relay, "-h", "maximal_backoff_time").stdout == "4000s\n"
    assert postconf(relay, "-d", "message_size_limit").stdout == "message_size_limit = 10240000\n"

    postconf(relay, "-e", "message_size_limit = 77777", "maximal_backoff_time=2h")
    assert postconf(relay, "-h", "message_size_limit").stdout == "77777\n"
    assert postconf(relay, "-d", "-h", "message_size_limit").stdout == "10240000\n"
    changed = postconf(relay, "-n").stdout.splitlines()
    assert "message_size_limit = 77777" in changed and "maximal_backoff_time = 2h" in changed
    assert not any(line.startswith("hopcount_limit") for line in changed), changed
    everything = postconf(relay).stdout.splitlines()
    assert "message_size_limit = 77777" in everything and len(everything) >= len(defaults)


def test_a_default_is_what_holds_where_nothing_is_set():
    relay = Relay(start=False)
    with open(relay.main_cf(), encoding="utf-8") as f:
        kept = "".join(line for line in f if not line.startswith(("mynetworks", "myhostname", "mydomain")))
    with open(relay.main_cf(), "w", encoding="utf-8") as f:
        f.write(kept)
    for name in ("mynetworks", "myhostname", "mydomain", "daemon_directory", "command_directory"):
        value = postconf(relay, "-d", name).stdout
        assert value == postconf(relay, name).stdout and value.split("=")[1].strip(), value
    addresses = {line.split()[3].split("/")[0] for line in run("ip", "-o", "addr", "show", "up").stdout.splitlines()}
    listed = {item.rsplit("/", 1)[0].strip("[]") for item in postconf(relay, "-d", "-h", "mynetworks").stdout.split()}
    assert "127.0.0.1" in listed and listed <= addresses, (listed, addresses)


def test_master_cf_by_line_column_and_parameter():
    relay = Relay(start=False)
    with open(os.path.join(relay.directory, "master.cf"), "w", encoding="utf-8") as f:
        f.write("# ours\nsmtp inet n - y - - smtpd\n127.0.0.1:2525 inet n - y - - smtpd -v\n  -o syslog_name=postfix/in "
                "-o { smtpd_banner = hello $mail_name }\npickup unix n - y 60 1 pickup\n")
    lines = postconf(relay, "-M").stdout.splitlines()
    assert lines == ["smtp       inet  n       -       y       -       -       smtpd",
                     "127.0.0.1:2525 inet n    -       y       -       -       smtpd -v -o syslog_name=postfix/in "
                     "-o {smtpd_banner=hello $mail_name}",
                     "pickup     unix  n       -       y       60      1       pickup"], lines
    assert postconf(relay, "-M", "smtp/inet").stdout.splitlines() == lines[:1]
    assert postconf(relay, "-Mf", "127.0.0.1:2525").stdout.splitlines()[1] == "    -o syslog_name=postfix/in"
    assert postconf(relay, "-F", "*/*/chroot", "pickup/unix/wakeup").stdout == \
        "smtp/inet/chroot = y\n127.0.0.1:2525/inet/chroot = y\npickup/unix/chroot = y\npickup/unix/wakeup = 60\n"
    assert postconf(relay, "-P").stdout == \
        "127.0.0.1:2525/inet/smtpd_banner = hello $mail_name\n127.0.0.1:2525/inet/syslog_name = postfix/in\n"
    assert postconf(relay, "-hPx", "127.0.0.1:2525/inet/smtpd_banner").stdout == "hello Posthaste\n"
    assert "unmatched request" in postconf(relay, "-M", "nosuch").stderr
    assert "undefined" not in postconf(relay, "-M").stderr
    with open(os.path.join(relay.directory, "master.cf"), "a", encoding="utf-8") as f:
        f.write("other unix - - n - - smtp -o mine=x -o smtp_helo_name=$mine$yours\n")
    said = postconf(relay, "-M", "other").stderr
    assert "undefined parameter: yours" in said and "mine" not in said, said
    assert postconf(relay, "-M", "-F", check=False).returncode != 0


def test_parameters_go_or_become_comments_and_slips_are_named():
    relay = Relay(start=False)
    with open(relay.main_cf(), "w", encoding="utf-8") as f:
        f.write("myhostname = one.test\nmynetworks = 127.0.0.0/8\n  [::1]/128\nwrite_only = 1\nrelayhost = $nobody\n")
    postconf(relay, "-#", "mynetworks")
    postconf(relay, "-X", "myhostname", "nosuch")
    with open(relay.main_cf(), encoding="utf-8") as f:
        assert f.read() == "#mynetworks = 127.0.0.0/8\n#  [::1]/128\nwrite_only = 1\nrelayhost = $nobody\n"
    said = postconf(relay, "-n")
    assert said.stdout == f"config_directory = {relay.directory}\nrelayhost = $nobody\n", said.stdout
    assert "undefined parameter: nobody" in said.stderr and "unused parameter: write_only=1" in said.stderr, said.stderr
    assert postconf(relay, "-o", "relayhost = x.test", "relayhost").stdout == "relayhost = x.test\n"


def test_what_excludes_each_other_is_refused_and_values_are_shown_as_postfix_shows_them():
    relay = Relay(start=False)
    with open(relay.main_cf(), "w", encoding="utf-8") as f:
        f.write("myhostname = one.test\nmynetworks = 127.0.0.0/8,\n\t[::1]/128\nmine = x\nrelayhost = $(yours)${nobody?  a}\nlost = x\n"
                "loop = $loop $mine\n")
    for options in (("-n", "-d"), ("-h", "-H"), ("-e",), ("-X",), ("-#",), ("-e", "four"), ("-d", "-o", "a=b"), ("-o", "four", "relayhost"),
                    ("-x", "loop")):
        said = postconf(relay, *options, check=False)
        assert said.returncode == 1 and said.stderr, options
    assert postconf(relay, "mynetworks").stdout == "mynetworks = 127.0.0.0/8, [::1]/128\n"
    assert postconf(relay, "-x", "-o", "yours=$mine", "relayhost").stdout == "relayhost = x\n"
    assert "yours" not in postconf(relay, "-o", "yours=$mine", "relayhost").stderr
    assert postconf(relay, "lost").stdout == "" and "lost: unknown parameter" in postconf(relay, "-n", "lost").stderr


def test_a_name_nobody_knows():
    relay = Relay(start=False)
    result = postconf(relay, "no_such_parameter", check=False)
    assert "no_such_parameter" in result.stderr and "unknown parameter" in result.stderr, result.stderr
    assert result.stdout == ""


def test_editing_leaves_comments_order_and_mode():
    relay = Relay(start=False)
    with open(relay.main_cf(), "w", encoding="utf-8") as f:
        f.write("# a comment\nmyhostname = one.test\n\n# another\nmynetworks = 127.0.0.0/8\n  # inside\n  [::1]/128\nmyorigin = x.test\n")
    os.chmod(relay.main_cf(), 0o640)
    postconf(relay, "-e", "mynetworks = 10.0.0.0/8", "relayhost = [127.0.0.1]:2526")
    with open(relay.main_cf(), encoding="utf-8") as f:
        text = f.read()
    assert text.startswith("# a comment\nmyhostname = one.test\n\n# another\nmynetworks = 10.0.0.0/8\n"), text
    assert "[::1]" not in text and text.endswith("relayhost = [127.0.0.1]:2526\n") and "myorigin = x.test\n" in text, text
    assert os.stat(relay.main_cf()).st_mode & 0o777 == 0o640


def test_a_missing_configuration_is_an_error_with_a_remedy():
    result = run(POSTCONF, "-c", "/nonexistent", "-n", check=False)
    assert result.returncode != 0 and "/nonexistent/main.cf" in result.stderr, result.stderr


main(globals())
