#!/usr/bin/python3
"""What README.md, HACKING.md and the pages of docs/ tell people to type exists: programs, files, options, presets, targets."""

import glob
import os
import re
import shlex
import shutil

from harness import BUILD, main, run

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
PAGES = ["README.md", "HACKING.md"] + sorted(glob.glob("docs/*.md", root_dir=ROOT))
# Programs of a Debian system, or that a page tells to install first.
SYSTEM = {"sudo", "cd", "kill", "tail", "git", "apt-get", "echo", "cat", "grep", "less", "watch", "systemctl", "journalctl", "ss",
          "openssl", "sysctl", "cp", "mkdir", "export", "chown", "chmod", "df", "ls", "rm", "printf", "man", "for", "done", "do"}


def commands():
    """(page, line, command) of every line in a fenced block without a language, or of sh, bash, console."""
    for page in PAGES:
        path = os.path.join(ROOT, page)
        if not os.path.exists(path):
            continue
        inside = False
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                fence = re.match(r"\s*```(\w*)", line)
                if fence:
                    inside = not inside and fence.group(1) in ("", "sh", "bash", "console")
                elif inside:
                    command = line.strip().removeprefix("$ ")
                    if command and not command.startswith("#"):
                        yield page, number, command


def in_build(word):
    """build/PRESET/x is x of the build under test."""
    match = re.match(r"build/[\w-]+/(.*)", word)
    return os.path.join(BUILD, match.group(1)) if match else None


def looks_like_a_command(words):
    """Blocks also hold pictures and output; a command begins with a program."""
    first = words[0]
    return (in_build(first) or os.path.exists(os.path.join(ROOT, first)) or first in SYSTEM or shutil.which(first) is not None
            or re.match(r"(deploy|bench|tests|build)/", first))


def check_program(path, words):
    """Its options exist: --help names them."""
    if not os.access(path, os.X_OK):
        return f"{path} is not there or cannot be run"
    with open(path, "rb") as f:
        is_script = f.read(2) == b"#!"
    options = [w.split("=")[0] for w in words if re.match(r"--[a-z]", w)]
    if not options:
        return None
    if is_script:
        with open(path, encoding="utf-8") as f:
            text = f.read()
    else:
        text = run(path, "--help", check=False).stdout
        for command in (w for w in words if re.fullmatch(r"[a-z]+", w)):
            text += run(path, command, "--help", check=False).stdout
        if os.path.basename(path).endswith(("_test", "_bench")) or "fuzz" in path or "benchmark" in text or "gtest" in text:
            return None
    missing = [o for o in options if o not in text]
    return f"{path} does not know {' '.join(missing)}" if missing else None


def check(command):
    """None, or what is wrong."""
    command = re.split(r"\s+#\s", command)[0]
    try:
        words = shlex.split(command)
    except ValueError as e:
        return str(e)
    if not words or not looks_like_a_command(words):
        return None
    while words and (words[0] == "sudo" or re.match(r"[A-Z_]+=", words[0])):
        words = words[1:]
    for part in re.split(r" (?:&&|\|\||;|\|) ", " ".join(map(shlex.quote, words)).replace("'&&'", "&&").replace("'|'", "|")):
        wrong = check_one(shlex.split(part))
        if wrong:
            return wrong
    return None


def check_one(words):
    if not words:
        return None
    program, arguments = words[0], words[1:]
    if program in ("cmake",) and "--preset" in arguments:
        preset = arguments[arguments.index("--preset") + 1]
        with open(os.path.join(ROOT, "CMakePresets.json"), encoding="utf-8") as f:
            return None if f'"name": "{preset}"' in f.read() else f"no preset {preset}"
    if program == "ctest" and "-L" in arguments:
        label = arguments[arguments.index("-L") + 1]
        out = run("ctest", "--test-dir", BUILD, "-N", "-L", f"^{label}$").stdout
        return None if "Total Tests: 0" not in out else f"no test has the label {label}"
    if program == "ninja":
        targets = [a for i, a in enumerate(arguments) if not a.startswith("-") and (i == 0 or arguments[i - 1] not in ("-C", "-j"))]
        known = run("ninja", "-C", BUILD, "-t", "targets", "all").stdout
        missing = [t for t in targets if not re.search(rf"^{re.escape(t)}:", known, re.MULTILINE)]
        # Fuzz targets are built under the same names by every preset.
        return f"ninja knows no target {missing}" if missing else None
    built = in_build(program)
    if built:
        return check_program(built, arguments)
    if os.path.exists(os.path.join(ROOT, program)):
        return check_program(os.path.join(ROOT, program), arguments)
    if re.match(r"(deploy|bench|tests)/", program):
        return f"{program} is not there"
    if program in SYSTEM or shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
        return None
    return f"{program}: what is that?"


def test_every_command_on_the_pages_exists():
    wrong, seen = [], 0
    for page, number, command in commands():
        seen += 1
        problem = check(command)
        if problem:
            wrong.append(f"{page}:{number}: {command}\n    {problem}")
    assert seen > 5, "no commands found: has the form of the pages changed?"
    assert not wrong, "\n" + "\n".join(wrong)


def test_it_would_notice():
    for command in ("deploy/nonsense", "deploy/test --no-such-option", "cmake --preset nosuch", "build/release/sbin/nosuch start",
                    "ctest --test-dir build/dev -L nosuchlabel", "bench/macro/relay --no-such"):
        assert check(command), command


def test_every_path_on_the_pages_exists():
    wrong = []
    for page in PAGES + ["ARCHITECTURE.md"]:
        path = os.path.join(ROOT, page)
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                for name in re.findall(r"`((?:src|tests|bench|deploy|docs|cmake)/[\w./-]+)`", line):
                    name = name.rstrip("/.")
                    if not os.path.exists(os.path.join(ROOT, name)) and "results" not in name:
                        wrong.append(f"{page}:{number}: {name}")
    assert not wrong, wrong


main(globals())
