"""Dialogues mutated from a seed: both relays must give the same replies. What differs is shrunk to the shortest dialogue that
still does."""

import random
import re

from scenario import Step

SETTINGS = {"smtpd_soft_error_limit": "1001", "smtpd_hard_error_limit": "1000", "smtpd_error_sleep_time": "0",
            "smtpd_junk_command_limit": "1000", "smtpd_recipient_limit": "5"}

SEEDS = (
    ("EHLO client.test", "MAIL FROM:<a@src.test>", "RCPT TO:<b@dest.test>", "RSET", "QUIT"),
    ("HELO client.test", "MAIL FROM:<>", "RCPT TO:<b@dest.test>", "RCPT TO:<c@dest.test>", "RSET", "NOOP"),
    ("EHLO client.test", "MAIL FROM:<a@src.test> SIZE=1000 BODY=8BITMIME", "RCPT TO:<b@dest.test> NOTIFY=NEVER", "RSET"),
    ("EHLO client.test", "MAIL FROM:<a@src.test> RET=FULL ENVID=x1", "RCPT TO:<b@dest.test> ORCPT=rfc822;b@dest.test", "RSET"),
    ("MAIL FROM:<a@src.test>", "RCPT TO:<b@dest.test>", "DATA", "NOOP", "QUIT"),
    ("EHLO client.test", "VRFY b@dest.test", "HELP", "NOOP now", "EXPN x"),
    ("EHLO client.test", "MAIL FROM:<a@src.test>", "MAIL FROM:<a@src.test>", "RCPT TO:<b@dest.test>", "EHLO again.test"),
)
WORDS = ("<>", "<a@b>", "a@b.test", "<a@b.test", "a b", "SIZE=x", "SIZE=99999999999", "BODY=7BIT", "BODY=BINARYMIME", "NOTIFY=SUCCESS,FAILURE",
         "NOTIFY=NEVER,DELAY", "RET=HDRS", "RET=X", "FOO", "FOO=BAR", "TO:", "FROM:", "DATA", "RSET", "NOOP", "QUIT", "EHLO x", "HELO", "RCPT",
         "MAIL", "\t", "\"quoted part\"@b.test", "<\"q\"@b.test>", "<@r.test:a@b.test>", "<a@[127.0.0.1]>")


# What the page names: a shortest dialogue with such a line needs no second complaint.
KNOWN = (
    (re.compile(rb"^VRFY \S+ .", re.IGNORECASE), "vrfy-arguments"),
    (re.compile(rb"^(MAIL|RCPT) .*> .*\"[^\"]* [^\"]*\"", re.IGNORECASE), "quoted-options"),
    (re.compile(rb"AUTH=|SIZE=99999999999", re.IGNORECASE), "mail-parameters"),
)


def is_known(steps):
    return any(pattern.search(step.data) for step in steps for pattern, _ in KNOWN)


def mutated(chance):
    lines = list(chance.choice(SEEDS))
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(lines))
        kind = chance.randrange(7)
        line = lines[at]
        if kind == 0:
            lines.insert(at, chance.choice(chance.choice(SEEDS)))
        elif kind == 1 and len(lines) > 1:
            del lines[at]
        elif kind == 2:
            lines[at] = line + " " + chance.choice(WORDS)
        elif kind == 3:
            words = line.split(" ")
            words[chance.randrange(len(words))] = chance.choice(WORDS)
            lines[at] = " ".join(words)
        elif kind == 4 and line:
            cut = chance.randrange(len(line))
            lines[at] = line[:cut] + line[cut + 1:]
        elif kind == 5:
            lines[at] = line.swapcase()
        else:
            other = chance.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
    # Behind DATA everything is content: what a mutation puts there is not a command any more.
    steps = []
    for line in lines:
        steps.append(Step(line.encode() + b"\r\n", 1))
        if line.strip().upper() in ("DATA", "QUIT"):
            break
    return steps


def shrunk(steps, differs):
    at = 0
    while at < len(steps):
        fewer = steps[:at] + steps[at + 1:]
        if fewer and differs(fewer):
            steps = fewer
        else:
            at += 1
    return steps


def hunt(count, seed, answers):
    """Prints what differs, shrunk; returns how many dialogues did."""
    chance, found = random.Random(seed), 0
    seen = set()
    for _ in range(count):
        steps = mutated(chance)
        theirs, ours = answers(steps)
        if theirs == ours:
            continue

        def differs(candidate):
            one, other = answers(candidate)
            return one != other
        short = shrunk(steps, differs)
        key = tuple(step.data for step in short)
        theirs, ours = answers(short)
        if key in seen or is_known(short):
            continue
        seen.add(key)
        found += 1
        print("differs:", *(repr(step.data.decode().rstrip()) for step in short), sep="\n    ")
        for one, other in zip(theirs + [""] * len(ours), ours + [""] * len(theirs)):
            if one != other:
                print(f"  Postfix   {one}\n  Posthaste {other}", flush=True)
    return found
