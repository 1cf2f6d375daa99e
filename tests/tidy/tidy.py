#!/usr/bin/python3
"""What holds for every file of the tree. `tidy.py CHECK...` runs some checks, without arguments all.

A check is a function that yields complaints ("file:line: what is wrong, and what instead"); its docstring is the rule.
tidy_test.py feeds each of them a fault. Nothing here needs root or the network.
"""

import argparse
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "../.."))
CLANG_FORMAT = "clang-format-14"

# The floors (ARCHITECTURE.md): a folder under src/ and what of ours it may include beside itself. The services' list is
# what lies below them; they never appear in each other's.
ANYBODY = {"base"}
SERVICE = ANYBODY | {"mail", "runtime", "lookup"}
MAY_INCLUDE = {
    "base": set(),
    "mail": ANYBODY,
    "runtime": ANYBODY,
    "lookup": ANYBODY | {"mail", "runtime"},
    "store": ANYBODY | {"mail", "runtime"},
    "ingress/smtpd": SERVICE,
    "cleanup/cleanup": SERVICE,
    "cleanup/rewrite": SERVICE,
    "scheduler": SERVICE,
    "egress/smtp": SERVICE,
    "command": SERVICE | {"store"},
    "master": SERVICE,
}
# Libraries that one folder alone may know.
ONLY_IN = {
    "rocksdb/": {"src/store"},
    "liburing.h": {"src/runtime", "src/store"},
    "seccomp.h": {"src/runtime"},
    "unbound.h": {"src/cleanup/rewrite"},
    "CLI/": {"src/command", "src/master", "tests", "bench"},
}

LINES_MAX = 600

# Programs that tests, benchmarks and deploy call, and the Debian package they come in. "" = part of every Debian system
# (essential, or a dependency of what is).
PACKAGE_OF_PROGRAM = {
    "aiosmtpd": "python3-aiosmtpd",
    "ccache": "ccache",
    "clang++-14": "clang-14",
    "clang-format-14": "clang-format-14",
    "clang-tidy-14": "clang-tidy-14",
    "cmake": "cmake",
    "ctest": "cmake",
    "g++": "g++",
    "gnuplot": "gnuplot-nox",
    "ip": "iproute2",
    "mailq": "",            # ours
    "mkfs.ext4": "e2fsprogs",
    "mount": "mount",
    "msmtp": "msmtp",
    "ninja": "ninja-build",
    "nsd": "nsd",
    "nsd-checkconf": "nsd",
    "pflogsumm": "pflogsumm",
    "pgrep": "procps",
    "postconf": "",         # ours, and Debian's in the benchmark
    "postfix": "postfix",
    "pkill": "procps",
    "ps": "procps",
    "python3": "python3",
    "smtp-sink": "postfix",
    "smtp-source": "postfix",
    "ss": "iproute2",
    "strace": "strace",
    "swaks": "swaks",
    "umount": "mount",
    "unshare": "",
    "useradd": "",
    "bash": "",
    "sh": "",
    "nsenter": "",
    "cp": "",
    "setpriv": "",
    "git": None,            # may be absent: the caller copes
}
PACKAGE_OF_PYTHON_MODULE = {"aiosmtpd": "python3-aiosmtpd", "dns": "python3-dnspython", "cryptography": "python3-cryptography"}
PACKAGE_OF_CMAKE_NAME = {
    "GTest": "libgtest-dev",
    "benchmark": "libbenchmark-dev",
    "RocksDB": "librocksdb-dev",
    "CLI11": "libcli11-dev",
    "nlohmann_json": "nlohmann-json3-dev",
    "mimalloc": "libmimalloc-dev",
    "liburing": "liburing-dev",
    "libseccomp": "libseccomp-dev",
    "libxxhash": "libxxhash-dev",
    "libidn2": "libidn2-dev",
    "unbound": "libunbound-dev",
    "PkgConfig": "pkg-config",
    "Threads": "g++",
}


class Tree:
    """The files of one checkout, read once."""

    def __init__(self, root):
        self.root = root
        self._text = {}

    def files(self, *endings, under=("src", "tests", "bench", "deploy", "cmake", "docs")):
        found = []
        for top in under:
            for directory, folders, names in os.walk(os.path.join(self.root, top)):
                folders[:] = sorted(f for f in folders if f not in ("corpus", "results", "__pycache__") and f[0] != ".")
                for name in sorted(names):
                    path = os.path.relpath(os.path.join(directory, name), self.root)
                    if not endings or name.endswith(endings):
                        found.append(path)
        return found

    def text(self, path):
        if path not in self._text:
            with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as f:
                self._text[path] = f.read()
        return self._text[path]

    def exists(self, path):
        return os.path.exists(os.path.join(self.root, path))

    def lines(self, path):
        return enumerate(self.text(path).splitlines(), 1)

    def scripts(self, *under):
        """Programs whose name says nothing of their language."""
        return [p for p in self.files(under=under)
                if "." not in os.path.basename(p) and self.text(p).startswith("#!")]


def folder_of(path):
    """src/egress/smtp/lane.h -> egress/smtp: the longest folder of the table that holds it."""
    inside = path.split("/", 1)[1] if path.startswith("src/") else path
    matches = [f for f in MAY_INCLUDE if inside.startswith(f + "/")]
    return max(matches, key=len, default=None)


def includes(tree):
    """A file includes its own folder or a lower floor; services meet in mail/wire/ only."""
    for path in tree.files(".h", ".cpp"):
        own = folder_of(path) if path.startswith("src/") else None
        if path.startswith("src/") and own is None:
            yield f"{path}: its folder is not in the table of floors (tests/tidy/tidy.py, ARCHITECTURE.md)"
            continue
        for number, line in tree.lines(path):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if not match:
                continue
            name = match.group(2)
            for library, folders in ONLY_IN.items():
                if name.startswith(library) and not any(path.startswith(f + "/") for f in folders):
                    if path.startswith(("tests/", "bench/")):
                        continue
                    yield f"{path}:{number}: <{name}> belongs to {' and '.join(sorted(folders))} alone"
            if match.group(1) == "<" or not path.startswith("src/"):
                continue
            if path.endswith(("_test.cpp", "_testing.h")) and name.startswith(("support/", "simulation/", "tests/")):
                continue
            if name.startswith(("tests/", "bench/", "support/", "simulation/")):
                yield f"{path}:{number}: src/ does not include {name}"
                continue
            target = folder_of("src/" + name)
            if target is None:
                yield f'{path}:{number}: "{name}": ours are named from src/, others stand in <>'
            elif target != own and target not in MAY_INCLUDE[own]:
                yield f"{path}:{number}: {own} may not include {name} (it may: own folder, {', '.join(sorted(MAY_INCLUDE[own]))})"


def headers(tree):
    """A header begins with `// folder/file.h: what it is` (from src/, or from the root outside it) and #pragma once."""
    for path in tree.files(".h"):
        name = path[len("src/"):] if path.startswith("src/") else path
        first = tree.text(path).split("\n", 1)[0]
        if not first.startswith(f"// {name}: ") or len(first) < len(name) + 12:
            yield f"{path}:1: a header begins with \"// {name}: what it is\""
        if not re.search(r"^#pragma once$", tree.text(path), re.MULTILINE):
            yield f"{path}: no #pragma once"


def light_headers(tree):
    """Headers do not drag <regex>, <iostream>, <filesystem>, a test framework or a whole namespace along."""
    for path in tree.files(".h", under=("src",)):
        for number, line in tree.lines(path):
            if re.match(r"#include <(regex|iostream|filesystem|gtest/|gmock/)", line) and "testing" not in path:
                yield f"{path}:{number}: too heavy for a header: {line.strip()}"
            if re.match(r"\s*using namespace", line):
                yield f"{path}:{number}: using namespace in a header"


def length(tree):
    """No source file over 600 lines: at 500 look for the second idea."""
    for path in tree.files(".h", ".cpp", ".py") + tree.scripts("deploy", "bench", "tests"):
        count = tree.text(path).count("\n")
        if count > LINES_MAX:
            yield f"{path}: {count} lines; the bound is {LINES_MAX}"


def leftovers(tree):
    """No FIXME, XXX or TODO, no debug prints, no conflict marks, no tabs, blanks at line ends or CRs in source files."""
    words = re.compile(r"\b(FIXME|XXX|TODO|HACK)\b")
    for path in tree.files(".h", ".cpp", ".py", ".txt", ".cmake", ".md") + tree.scripts("deploy", "bench"):
        if path.startswith("tests/tidy/"):
            continue
        for number, line in tree.lines(path):
            if words.search(line):
                yield f"{path}:{number}: {words.search(line).group(1)}: do it or drop it"
            if re.match(r"(<<<<<<<|>>>>>>>) |=======$", line):
                yield f"{path}:{number}: a conflict mark"
            if path.endswith((".h", ".cpp", ".py")):
                if line != line.rstrip():
                    yield f"{path}:{number}: blank at the end of the line"
                if "\t" in line:
                    yield f"{path}:{number}: a tab"
        if tree.text(path) and not tree.text(path).endswith("\n"):
            yield f"{path}: no newline at the end"


def no_throw(tree):
    """We throw nothing: an error is a Result, our own bug an ASSERT."""
    for path in tree.files(".h", ".cpp", under=("src",)):
        for number, line in tree.lines(path):
            code = re.sub(r'"(\\.|[^"\\])*"', '""', line.split("//")[0])
            if re.search(r"\bthrow\b(?!\()", code):
                yield f"{path}:{number}: throw"
            if re.search(r"\bassert\(", code) and "static_assert" not in code:
                yield f"{path}:{number}: assert() vanishes in release builds; ASSERT stays"


def no_clock(tree):
    """Services ask the Loop for time and randomness: the same inputs give the same run."""
    forbidden = re.compile(r"(system_clock|steady_clock|high_resolution_clock)::now|\b(std::)?random_device\b"
                           r"|(?<![\w:])(std::)?(rand|srand)\(|(?<![\w.>])(::)?(clock_gettime|gettimeofday|getrandom)\(")
    # store/log_file.cpp: the kernel's own file, which no simulation has, says how long its syncs take.
    allowed = ("src/runtime/", "src/command/", "src/master/", "src/store/log_file.cpp")
    for path in tree.files(".h", ".cpp", under=("src",)):
        if path.startswith(allowed) or path.endswith(("_test.cpp", "/main.cpp")):
            continue
        for number, line in tree.lines(path):
            if forbidden.search(line.split("//")[0]):
                yield f"{path}:{number}: a clock or random numbers behind the loop's back"


def readmes(tree):
    """Every folder under src/ that holds code says in a README.md of at most 80 lines what it is."""
    folders = {os.path.dirname(p) for p in tree.files(".h", ".cpp", under=("src",))}
    for folder in sorted(folders) + ["tests", "bench"]:
        page = os.path.join(folder, "README.md")
        if not tree.exists(page):
            yield f"{folder}: no README.md"
        elif folder.startswith("src/") and tree.text(page).count("\n") > 80:
            yield f"{page}: over a page"


def links(tree):
    """A link or a path in a page leads somewhere."""
    pages = tree.files(".md") + [p for p in ("README.md", "ARCHITECTURE.md", "HACKING.md") if tree.exists(p)]
    for page in pages:
        for number, line in tree.lines(page):
            for target in re.findall(r"\]\(([^)#\s]+)", line):
                if "://" in target or target.startswith("mailto:"):
                    continue
                if not tree.exists(os.path.normpath(os.path.join(os.path.dirname(page), target))):
                    yield f"{page}:{number}: {target} is not there"


def orphans(tree):
    """Every source file is built or run: a folder with .cpp files has a CMakeLists.txt, a header is included."""
    included = set()
    for path in tree.files(".h", ".cpp"):
        included.update(re.findall(r'#\s*include\s*"([^"]+)"', tree.text(path)))
    for path in tree.files(".h"):
        names = {path, path.split("/", 1)[1], os.path.basename(path)}
        if not names & included:
            yield f"{path}: nobody includes it"
    for folder in sorted({os.path.dirname(p) for p in tree.files(".cpp")}):
        if not tree.exists(os.path.join(folder, "CMakeLists.txt")):
            yield f"{folder}: sources, but no CMakeLists.txt"


def packages(tree):
    """Every program, Python module and library that the build, the tests and deploy/ use stands in deploy/packages.txt."""
    listed = set()
    for number, line in tree.lines("deploy/packages.txt"):
        fields = line.split()
        if not fields or line.startswith("#"):
            continue
        if len(fields) != 2 or fields[0] not in ("build", "test"):
            yield f"deploy/packages.txt:{number}: not `build PACKAGE` or `test PACKAGE`"
        elif fields[1] in listed:
            yield f"deploy/packages.txt:{number}: {fields[1]} twice"
        else:
            listed.add(fields[1])

    def want(package, place, what):
        if package and package not in listed:
            yield f"{place}: {what} needs {package}, which deploy/packages.txt does not list"

    in_shell = re.compile(r"(?:^|[|;&(]|\bexec\b|\bif\b|!)\s*(" + "|".join(map(re.escape, PACKAGE_OF_PROGRAM)) + r")\s")
    call = re.compile(r"""(?:\b(?:run|Popen|check_output|check_call|call|which|tool)\(\s*\[?\s*)["']([^"'{}\s]+)["']""")
    for path in tree.files(".py", under=("tests", "bench")) + tree.scripts("deploy", "bench", "tests"):
        if path == "tests/tidy/tidy_test.py":
            continue            # names what does not exist
        text = tree.text(path)
        shell = re.match(r"#!.*\b(ba)?sh\b", text)
        for number, line in tree.lines(path):
            for program in in_shell.findall(line) if shell else call.findall(line):
                name = os.path.basename(program)
                if name.startswith("-") or not re.match(r"[a-z][\w+.-]*$", name):
                    continue
                if name not in PACKAGE_OF_PROGRAM:
                    yield f"{path}:{number}: {name}: say in tests/tidy/tidy.py which package it comes in"
                else:
                    yield from want(PACKAGE_OF_PROGRAM[name], f"{path}:{number}", name)
            match = re.match(r"\s*(?:import|from)\s+(\w+)", line)
            if match and path.endswith(".py") or match and text.startswith("#!/usr/bin/python3"):
                module = match.group(1)
                local = tree.exists(os.path.join(os.path.dirname(path), module + ".py")) or any(
                    os.path.basename(p) == module + ".py" for p in tree.files(".py"))
                if module in sys.stdlib_module_names or local:
                    continue
                if module not in PACKAGE_OF_PYTHON_MODULE:
                    yield f"{path}:{number}: module {module}: say in tests/tidy/tidy.py which package it comes in"
                else:
                    yield from want(PACKAGE_OF_PYTHON_MODULE[module], f"{path}:{number}", module)
    for path in tree.files("CMakeLists.txt", ".cmake"):
        for number, line in tree.lines(path):
            names = re.findall(r"find_package\((\w+)", line)
            names += re.findall(r"pkg_check_modules\(\w+ (?:REQUIRED )?(?:IMPORTED_TARGET )?(\w+)", line)
            names += re.findall(r"find_library\(\w+ (\w+)", line)
            for name in names:
                if name not in PACKAGE_OF_CMAKE_NAME:
                    yield f"{path}:{number}: {name}: say in tests/tidy/tidy.py which package it comes in"
                else:
                    yield from want(PACKAGE_OF_CMAKE_NAME[name], f"{path}:{number}", name)


def executable(tree):
    """What begins with #! and is meant to be called can be executed."""
    for path in tree.scripts("deploy", "bench", "tests") + tree.files(".py", ".sh"):
        if tree.text(path).startswith("#!") and not os.access(os.path.join(tree.root, path), os.X_OK):
            yield f"{path}: begins with #! but is not executable (chmod +x)"


def ports(tree):
    """Tests and benchmarks never touch port 25: none is written anywhere they listen or connect."""
    for path in tree.files(".py", under=("tests", "bench")) + tree.scripts("deploy", "bench"):
        if path.startswith("tests/tidy/"):
            continue
        for number, line in tree.lines(path):
            if re.search(r"(127\.0\.0\.1|localhost|\[::1?\]):25\b|port\s*=\s*25\b|, 25\)", line):
                yield f"{path}:{number}: port 25 is not ours"


def reference(tree):
    """docs/parameters.md is what the table of parameters says: renew it with tests/tidy/reference."""
    program = os.path.join(os.environ.get("POSTHASTE_BUILD", os.path.join(tree.root, "build/release")),
                           "tests/tidy/parameter_reference")
    page = "docs/parameters.md"
    if not os.path.exists(program):
        yield f"{program} is not built"
        return
    wanted = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    if not tree.exists(page):
        yield f"{page} is missing: tests/tidy/reference makes it"
    elif tree.text(page) != wanted:
        old, new = tree.text(page).splitlines(), wanted.splitlines()
        at = next((i for i, (a, b) in enumerate(zip(old, new)) if a != b), min(len(old), len(new)))
        yield f"{page}:{at + 1}: stale (run tests/tidy/reference); it should say: {new[at] if at < len(new) else '(nothing)'}"


def format(tree):
    """Every C++ file is as clang-format 14 writes it: tests/tidy/format does it."""
    try:
        version = subprocess.run([CLANG_FORMAT, "--version"], capture_output=True, text=True).stdout
    except FileNotFoundError:
        yield f"{CLANG_FORMAT} is not installed (deploy/install_packages test)"
        return
    if "version 14." not in version:
        yield f"{CLANG_FORMAT} is {version.strip()}: the format is that of 14"
        return
    files = tree.files(".h", ".cpp")
    for begin in range(0, len(files), 50):
        out = subprocess.run([CLANG_FORMAT, "--dry-run", "--ferror-limit=1", *files[begin:begin + 50]], cwd=tree.root,
                             capture_output=True, text=True).stderr
        for path in dict.fromkeys(re.findall(r"^([^\s:]+):\d+:\d+: (?:warning|error): code should be", out, re.MULTILINE)):
            yield f"{path}: run tests/tidy/format"


CHECKS = [includes, headers, light_headers, length, leftovers, no_throw, no_clock, readmes, links, orphans, packages,
          executable, ports, reference, format]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=ROOT)
    parser.add_argument("--list", action="store_true", help="the checks and their rules")
    parser.add_argument("check", nargs="*")
    arguments = parser.parse_args()
    known = {check.__name__: check for check in CHECKS}
    if arguments.list:
        for name, check in known.items():
            print(f"{name:14} {check.__doc__}")
        return 0
    unknown = [name for name in arguments.check if name not in known]
    if unknown:
        parser.error(f"no such check: {', '.join(unknown)} (there are: {', '.join(known)})")
    tree = Tree(arguments.root)
    complaints = 0
    for name in arguments.check or known:
        for complaint in known[name](tree):
            print(f"{name}: {complaint}")
            complaints += 1
    print(f"{complaints} complaints" if complaints else "tidy")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
