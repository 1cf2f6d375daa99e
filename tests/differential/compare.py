"""What both did, made comparable. Queue ids, times, pids and the client's ports are replaced, and what the queue id takes in a
message is taken off its size; nothing else is."""

import difflib
import re

_DATE = re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), +\d+ \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4} \(\w+\)")
_LOG = re.compile(r"^.*?(?:postfix|posthaste)(?:/[\w.-]+)*?/(\w+)\[\d+\]: (.*)$")
_TIMES = re.compile(r"delay=[\d.]+, delays=[\d./]+, ")


class Names:
    """Queue ids in the order in which they were given out."""

    def __init__(self, ids, contents=()):
        self.ids = {each: f"QID{number}" for number, each in enumerate(ids, 1)}
        # In the Received field, and in a Message-Id that was made; each delivery of a message has them.
        self.id_bytes = max((len(each) * max([1, *(content.count(each.encode()) for content in contents)]) for each in ids), default=0)

    def without_id(self, match):
        return f"{match.group(1)}{int(match.group(2)) - self.id_bytes}"

    def hide(self, text):
        for each, name in self.ids.items():
            text = text.replace(each, name)
        text = _DATE.sub("DATE", text)
        text = re.sub(r"(\b(?:size=|SIZE=|size ))(\d+)", self.without_id, text)
        # postqueue -p: columns, and the size as above.
        text = re.sub(r"(QID\d+[*!]?) +(\d+) \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d ",
                      lambda match: f"{match.group(1)} {int(match.group(2)) - self.id_bytes} DATE ", text)
        return re.sub(r"(unknown|localhost)\[127\.0\.0\.1\](:\d+)?", r"\1[127.0.0.1]", text)


def replies(names, heard):
    return [names.hide(line) for reply in heard for line in reply.decode("utf-8", "surrogateescape").splitlines()]


def delivered(names, messages):
    out = []
    for envelope, content in sorted(messages):
        out += [*map(names.hide, envelope), *names.hide(content.decode("utf-8", "surrogateescape")).split("\r\n")]
    return out


def log(names, lines):
    """The lines that speak of a message of this scenario, by message and service."""
    out = []
    for line in lines:
        match = _LOG.match(line)
        if not match:
            continue
        service, text = match.groups()
        text = _TIMES.sub("", names.hide(text))
        if text.startswith(("QID", "NOQUEUE")) or text.startswith("disconnect from"):
            out.append(f"{service}: {text}")
    order = {"smtpd": 0, "cleanup": 1, "qmgr": 2}
    return sorted(out, key=lambda each: (re.search(r"QID\d+|$", each).group() or "~", order.get(each.split(":")[0], 3), each))


def queue(names, entries):
    """The entries of this scenario in the order in which they came; Postfix lists them as its directories have them."""
    out = []
    order = list(names.ids)
    for entry in sorted((entry for entry in entries if entry["queue_id"] in names.ids), key=lambda entry: order.index(entry["queue_id"])):
        out.append(names.hide(f"{entry['queue_id']} {entry['queue_name']} from {entry['sender']} size {entry['message_size']}"))
        out += [f"  {each['address']} {names.hide(each.get('delay_reason', ''))}".rstrip() for each in entry["recipients"]]
    return out


def difference(theirs, ours):
    """Lines of Postfix that ours lacks behind "-", ours that Postfix lacks behind "+"."""
    return [line for line in difflib.unified_diff(theirs, ours, lineterm="", n=0) if not line.startswith(("---", "+++", "@@"))]
