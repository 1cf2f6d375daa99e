"""Scenarios as they are written: small text files, one story each. README.md in this folder tells their form."""

import codecs
import dataclasses
import os

ASPECTS = ("replies", "log", "delivered", "queue", "output")


class Malformed(Exception):
    """Says file, line and what is wrong."""


@dataclasses.dataclass
class Step:
    """What the client sends at once, and how many replies it then waits for."""
    data: bytes
    replies: int


@dataclasses.dataclass
class Scenario:
    path: str
    about: str = ""
    settings: dict = dataclasses.field(default_factory=dict)
    master: list = dataclasses.field(default_factory=list)      # further lines of master.cf
    main: list = dataclasses.field(default_factory=list)        # further lines of main.cf, as they are
    files: dict = dataclasses.field(default_factory=dict)       # {name in the configuration's directory: [lines]}
    server: dict = dataclasses.field(default_factory=dict)      # {"rcpt b@dest.test": "550 no"}
    steps: list = dataclasses.field(default_factory=list)
    commands: list = dataclasses.field(default_factory=list)    # postconf and its kin
    differs: list = dataclasses.field(default_factory=list)     # (aspect, identifier, [diff lines])

    @property
    def configuration(self):
        """What a pair of relays is made of: scenarios that agree in it share one."""
        return (tuple(sorted(self.settings.items())), tuple(self.master), tuple(self.main),
                tuple((name, tuple(lines)) for name, lines in sorted(self.files.items())))

    @property
    def name(self):
        return os.path.basename(self.path).rsplit(".", 1)[0]


def unescaped(text):
    return codecs.escape_decode(text.encode())[0]


def parse(path, text):
    scenario, reading = Scenario(path), None
    for number, line in enumerate(text.splitlines(), 1):
        def wrong(what):
            raise Malformed(f"{path}:{number}: {what}: {line!r}")
        if line.startswith("#"):
            if not scenario.steps and not scenario.commands:
                scenario.about += line[1:].strip() + " "
            continue
        if not line.strip() and reading is None:
            continue
        if reading is not None and line[:1] in "-+":
            reading.append(line)
            continue
        if not line.strip():
            continue
        reading = None
        kind, _, rest = line.partition(" ")
        if kind == "set:":
            name, _, value = rest.partition("=")
            scenario.settings[name.strip()] = value.strip()
        elif kind == "master:":
            scenario.master.append(rest)
        elif kind == "main:":
            scenario.main.append(rest)
        elif kind == "file:":
            name, _, text = rest.partition(" ")
            scenario.files.setdefault(name, []).append(text)
        elif kind == "server:":
            step, _, reply = rest.partition("=")
            scenario.server[step.strip()] = reply.strip()
        elif kind == "run:":
            scenario.commands.append(rest)
        elif kind == ">":
            scenario.steps.append(Step(unescaped(rest) + b"\r\n", 1))
        elif kind == "|" and scenario.steps:
            scenario.steps[-1].data += unescaped(rest) + b"\r\n"
            scenario.steps[-1].replies += 1
        elif kind == "=":
            scenario.steps.append(Step(unescaped(rest) + b"\r\n", 0))
        elif kind == "~":
            scenario.steps.append(Step(unescaped(rest), 0))
        elif kind == "?":
            scenario.steps.append(Step(b"", int(rest or 1)))
        elif kind == "differs":
            words = rest.split()
            if len(words) != 2 or words[0] not in ASPECTS:
                wrong(f"write differs ASPECT IDENTIFIER, the aspect one of {', '.join(ASPECTS)}")
            reading = []
            scenario.differs.append((words[0], words[1], reading))
        else:
            wrong("not a line of a scenario")
    if not scenario.about.strip():
        raise Malformed(f"{path}:1: begin with a comment that says what the scenario shows")
    if not scenario.steps and not scenario.commands:
        raise Malformed(f"{path}: a scenario has a dialogue (>), or commands (run:), or both")
    return scenario


def load_all(directory):
    out = []
    for name in sorted(os.listdir(directory)):
        if name.endswith(".scenario"):
            path = os.path.join(directory, name)
            with open(path, encoding="utf-8") as f:
                out.append(parse(path, f.read()))
    return out
