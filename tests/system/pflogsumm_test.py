#!/usr/bin/python3
"""pflogsumm, written for Postfix's log, counts in ours what we sent."""

import re
import smtplib

from harness import Relay, Smtp, main, run, tool, wait_until
from receivers import AioReceiver, PostfixSink


def test_it_counts_what_was_sent_deferred_and_refused():
    receiver = AioReceiver(replies={"later@dest.test": "450 4.2.1 come back later", "never@dest.test": "550 5.1.1 nobody here"})
    relay = Relay(receiver.port, settings={"mynetworks": "127.0.0.1/32", "minimal_backoff_time": "1h"})
    for i in range(10):
        relay.send(recipients=[f"r{i}@dest.test", f"s{i}@other.test"], sender=f"sender{i % 2}@sender.test")
    relay.send(recipients=["later@dest.test"])
    relay.send(recipients=["never@dest.test"])
    stranger = Smtp(relay.port, source="127.0.0.2")
    stranger.greet()
    stranger.ask("MAIL FROM:<a@b.test>")
    assert stranger.ask("RCPT TO:<c@d.test>")[0] in "45"
    stranger.close()
    with smtplib.SMTP("127.0.0.1", relay.port) as client:       # and one that says nothing
        client.noop()
    receiver.wait(20 // 2)
    relay.wait_log(r"status=bounced")
    relay.wait_log(r"status=deferred")
    relay.wait_log(r"lost connection|disconnect from \S+\[127\.0\.0\.2\]")

    report = run(tool("pflogsumm"), "--smtpd-stats", relay.log_file).stdout
    totals = {label: int(count) for count, label in
              re.findall(r"^\s*(\d+)\s+(received|delivered|deferred|bounced|rejected|senders|recipients)\b", report, re.MULTILINE)}
    assert totals["received"] == 12, report
    assert totals["delivered"] == 20, report
    assert totals["deferred"] == 1 and totals["bounced"] == 1 and totals["rejected"] == 1, report
    assert totals["senders"] == 3, report
    assert re.search(r"come back later", report) and re.search(r"nobody here", report), report
    assert re.search(r"^\s*10\s.*\bother\.test$", report, re.MULTILINE), report
    connections = re.search(r"^\s*(\d+)\s+connections", report, re.MULTILINE)
    assert connections and int(connections.group(1)) >= 14, report


def test_every_line_has_postfixs_form():
    receiver = AioReceiver()
    relay = Relay(receiver.port)
    queue_id = relay.send(sender="from@sender.test", recipients=["to@dest.test"])
    relay.wait_log(rf"{queue_id}: removed")
    log = relay.log()
    form = re.compile(r"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ postfix/[\w-]+\[\d+\]: \S")
    for line in log.splitlines():
        assert form.match(line), line
    mine = [re.sub(r"^.*? postfix/", "", line) for line in log.splitlines() if queue_id in line]
    expected = [r"smtpd\[\d+\]: %s: client=\S+\[127\.0\.0\.1\]$",
                r"cleanup\[\d+\]: %s: message-id=<\S*>$",
                r"qmgr\[\d+\]: %s: from=<from@sender\.test>, size=\d+, nrcpt=1 \(queue active\)$",
                r"smtp\[\d+\]: %s: to=<to@dest\.test>, relay=127\.0\.0\.1\[127\.0\.0\.1\]:\d+, delay=[\d.]+, "
                r"delays=[\d.]+/[\d.]+/[\d.]+/[\d.]+, dsn=2\.0\.0, status=sent \(250 2\.0\.0 taken\)$",
                r"qmgr\[\d+\]: %s: removed$"]
    for pattern in expected:
        assert sum(bool(re.match(pattern % queue_id, line)) for line in mine) == 1, (pattern, mine)
    assert re.search(r"connect from \S+\[127\.0\.0\.1\]$", log, re.MULTILINE), log
    assert re.search(r"disconnect from \S+\[127\.0\.0\.1\] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5$", log, re.MULTILINE), log




def test_the_lines_of_a_message_are_in_order():
    sink = PostfixSink()
    relay = Relay(sink.port)
    run(tool("smtp-source"), "-s", "20", "-m", "3000", "-l", "500", "-f", "a@sender.test", "-t", "b@dest.test", f"127.0.0.1:{relay.port}")
    wait_until(lambda: relay.log().count(": removed") == 3000, 60, "everything delivered")
    stations = [r"client=", r"message-id=", r"from=<", r"to=<.*status=sent", r"removed$"]
    seen = {}
    for line in relay.log().splitlines():
        found = re.search(r"/\w+\[\d+\]: ([0-9A-Za-z]{13}): (.*)$", line)
        if not found:
            continue
        station = next(i for i, pattern in enumerate(stations) if re.match(pattern, found.group(2)))
        seen.setdefault(found.group(1), []).append(station)
    assert len(seen) == 3000
    wrong = [(queue_id, order) for queue_id, order in seen.items() if order != [0, 1, 2, 3, 4]]
    assert not wrong, (len(wrong), wrong[:3])


main(globals())
