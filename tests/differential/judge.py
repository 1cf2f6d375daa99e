#!/usr/bin/python3
"""Gives each scenario to a real Postfix and to Posthaste, in turn, and compares what both say, log, deliver and keep.

    tests/differential/judge.py                     all scenarios; exit 1 when anything differs that is not named
    tests/differential/judge.py NAME ...            these
    tests/differential/judge.py --jobs 3            so many pairs of relays at a time, each in a namespace of its own
    tests/differential/judge.py --mutate 500 [--seed N]   dialogues mutated from a seed, instead
    tests/differential/judge.py --show NAME ...     prints what both did
    tests/differential/judge.py --record ID NAME    writes what differs into the scenario, as the difference ID of the page

Needs root: it makes a network namespace of its own. POSTHASTE_BUILD is the build to judge.
"""

import argparse
import os
import re
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import compare
import mutate
import scenario
from instances import Postfix, Posthaste, queue_ids
from harness import wait_until
from receiver import Receiver

PAGE = os.path.join(HERE, "../../docs/differences.md")
RECEIVER_PORT = 2600
INSIDE = "POSTHASTE_JUDGE_INSIDE"
GROUP_MAX = 20
SETTLED = re.compile(r"status=(sent|deferred|bounced|expired)")
GIVEN = re.compile(r", nrcpt=(\d+) \(queue active\)")


def own_namespace():
    """This program once more, in network and mount namespaces that end with it."""
    if os.environ.get(INSIDE):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    os.execvpe("unshare", ["unshare", "--net", "--mount", "--fork", "--kill-child", sys.executable, *sys.argv],
               {**os.environ, INSIDE: "1"})


class Client:
    def __init__(self, relay):
        self.name = relay.name
        self.socket = socket.create_connection(("127.0.0.1", relay.port), 30)
        self.file = self.socket.makefile("rb")

    def hear(self):
        """One whole reply; b"" when the server has hung up."""
        lines = []
        while True:
            try:
                line = self.file.readline()
            except TimeoutError:
                raise AssertionError(f"no reply in 30 s; the scenario awaits one too many, or {self.name} hangs") from None
            except OSError:
                line = b""
            lines.append(line)
            if len(line) < 4 or line[3:4] != b"-":
                return b"".join(lines)

    def play(self, steps):
        heard = [self.hear()]
        for step in steps:
            try:
                if step.data:
                    self.socket.sendall(step.data)
            except OSError:
                heard.append(b"(gone)\r\n")
                break
            for _ in range(step.replies):
                heard.append(self.hear() or b"(gone)\r\n")
            if heard[-1] == b"(gone)\r\n":
                break
        self.file.close()
        self.socket.close()
        return heard


def settled(relay, ids):
    """Each recipient that the queue manager was given has an outcome in the log, and whatever is done is removed."""
    def is_so():
        lines = relay.log()
        for each in ids:
            own = [line for line in lines if each in line]
            outcomes = sum(1 for line in own if SETTLED.search(line) and " to=<" in line)
            given = [int(match.group(1)) for line in own if (match := GIVEN.search(line))]
            if not given or outcomes < given[0]:
                return False
            if not relay.has_said_all(own):
                return False
        return any("disconnect from" in line for line in lines)
    wait_until(is_so, 30, f"an outcome of {ids} at {relay.name}; the log ends:\n" + "\n".join(relay.log()[-15:]))


def output(relay, story, names):
    return [names.hide(line).replace(relay.config, "CONFIG").replace(relay.directory, "DIRECTORY") for command in story.commands
            for line in relay.run(command).splitlines()]


def perform(relay, receiver, story):
    """{aspect: comparable lines} of one scenario on one relay."""
    if not story.steps:
        return {"output": output(relay, story, compare.Names([]))}
    relay.mark()
    receiver.script(story.server)
    heard = Client(relay).play(story.steps)
    ids = queue_ids(heard)
    settled(relay, ids)
    if any("status=deferred" in line or "status=bounced" in line for line in relay.log()):
        wait_until(lambda: all(entry["queue_name"] != "active" for entry in relay.queue() if entry["queue_id"] in ids), 30,
                   "the queue to say so too")
    names = compare.Names(ids, [content for _, content in receiver.taken()])
    return {"output": output(relay, story, names), "replies": compare.replies(names, heard), "log": compare.log(names, relay.log()),
            "delivered": compare.delivered(names, receiver.taken()), "queue": compare.queue(names, relay.queue())}


def judge(story, theirs, ours):
    """Complaints: differences that are not named, and named ones that are none."""
    complaints, named = [], {}
    for aspect, identifier, lines in story.differs:
        named.setdefault(aspect, []).extend(lines)
    for aspect in theirs:
        found = compare.difference(theirs[aspect], ours[aspect])
        if found != named.get(aspect, []):
            shown = "\n    ".join(found) or "(none)"
            expected = "\n    ".join(named.get(aspect, []))
            complaints.append(f"{aspect} differ:\n    {shown}" + (f"\n  named were:\n    {expected}" if expected else ""))
    return complaints


def identifiers_of_page():
    with open(PAGE, encoding="utf-8") as f:
        return set(re.findall(r'<a id="([\w-]+)"></a>', f.read()))


def record(story, identifier, theirs, ours):
    with open(story.path, encoding="utf-8") as f:
        kept = f.read().split("\ndiffers ")[0].rstrip("\n") + "\n"
    for aspect in theirs:
        if found := compare.difference(theirs[aspect], ours[aspect]):
            kept += f"differs {aspect} {identifier}\n" + "".join(f"{line}\n" for line in found)
    with open(story.path, "w", encoding="utf-8") as f:
        f.write(kept)


def play_group(stories, receiver, show, identifier):
    """Scenarios with the same configuration, over one pair of relays."""
    settings = {"relayhost": f"[127.0.0.1]:{RECEIVER_PORT}", **stories[0].settings}
    relays, failed, idle = [], 0, ""
    try:
        for kind in (Postfix, Posthaste):
            relay = kind(settings, stories[0])
            relays.append(relay)
            try:
                if any(story.steps for story in stories):
                    relay.start()
            except RuntimeError as fault:
                idle = str(fault)
        for story in stories:
            results = []
            try:
                if idle:
                    raise AssertionError(idle)
                results = [perform(relay, receiver, story) for relay in relays]
                if identifier:
                    record(story, identifier, *results)
                    continue
                complaints = judge(story, *results)
            except AssertionError as late:
                complaints = [str(late)]
            failed += bool(complaints)
            said = [("FAILED  " if complaints else "ok      ") + f"{story.name}: {story.about.strip()}"]
            said += ["  " + complaint for complaint in complaints]
            if show:
                said += [f"  {relay.name} {aspect}\n    " + "\n    ".join(lines) for relay, result in zip(relays, results)
                         for aspect, lines in result.items()]
            print("\n".join(said), flush=True)  # at once: others write beside us
        return failed
    finally:
        for relay in relays:
            relay.remove()


def play_share(groups, show, identifier):
    receiver = Receiver(RECEIVER_PORT)
    return sum(play_group(group, receiver, show, identifier) for group in groups)


def play_all(stories, options):
    groups = {}
    for story in stories:
        if not options.names or story.name in options.names:
            groups.setdefault(story.configuration, []).append(story)
    # None so long that one share would have to wait for it; the longest first.
    groups = sorted((group[at:at + GROUP_MAX] for group in groups.values() for at in range(0, len(group), GROUP_MAX)), key=len,
                    reverse=True)
    if options.share:
        number, of = map(int, options.share.split("/"))
        return 0, play_share(groups[number::of], options.show, options.record)
    jobs = min(options.jobs, len(groups))
    if jobs > 1:
        environment = {name: value for name, value in os.environ.items() if name != INSIDE}
        shares = [subprocess.Popen([sys.executable, *sys.argv, "--share", f"{number}/{jobs}"], env=environment)
                  for number in range(jobs)]
        failed = sum(share.wait() for share in shares)
    else:
        failed = play_share(groups, options.show, options.record)
    count = sum(map(len, groups))
    if not options.names and not options.record:
        cited = {identifier for story in stories for _, identifier, _ in story.differs}
        for identifier in sorted(cited - identifiers_of_page()):
            failed += 1
            print(f"FAILED  a scenario cites {identifier}, which docs/differences.md does not have")
        for identifier in sorted(identifiers_of_page() - cited):
            failed += 1
            print(f"FAILED  docs/differences.md names {identifier}, which no scenario needs any more")
    return count, failed


def play_mutated(count, seed):
    receiver = Receiver(RECEIVER_PORT)
    relays = []
    try:
        for kind in (Postfix, Posthaste):
            relays.append(kind({"relayhost": f"[127.0.0.1]:{RECEIVER_PORT}", **mutate.SETTINGS}, scenario.Scenario("mutated")))
            relays[-1].start()

        def answers(steps):
            out = []
            for relay in relays:
                heard = Client(relay).play(steps)
                out.append(compare.replies(compare.Names(queue_ids(heard)), heard))
            return out
        return mutate.hunt(count, seed, answers)
    finally:
        for relay in relays:
            relay.remove()
        receiver.listener.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--mutate", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--record", metavar="ID")
    parser.add_argument("--jobs", type=int, default=4, metavar="N")
    parser.add_argument("--share", metavar="I/N", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("the judge needs root: it makes a network namespace, and starts both relays")
    own_namespace()
    began = time.monotonic()
    if options.mutate:
        failed = play_mutated(options.mutate, options.seed)
        print(f"{options.mutate} dialogues from seed {options.seed}, {failed} differ, {time.monotonic() - began:.0f} s")
    else:
        count, failed = play_all(scenario.load_all(os.path.join(HERE, "scenarios")), options)
        if options.share:
            sys.exit(min(failed, 100))
        print(f"{count} scenarios, {failed} failed, {time.monotonic() - began:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
