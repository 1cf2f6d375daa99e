"""Mechanical faults in C++ text: what a slip of the hand would do, one at a time.

candidates(text) finds every place of a file where such a fault can be made. It reads the text, not the program: comments,
strings and preprocessor lines are blanked out first, and binary operators are known by the blanks that the format puts around
them. A fault that does not compile is no fault; mutate finds that out and takes another one. Assertions are left alone, and so
are the hooks of bugs made on purpose: who breaks a check only makes it check less.
"""

import dataclasses
import random
import re

RELATIONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
LOGIC = {"&&": "||", "||": "&&"}
ARITHMETIC = {"+": "-", "-": "+", "*": "+", "/": "*", "+=": "-=", "-=": "+=", "|=": "&=", "&": "|"}
LEFT_ALONE = re.compile(r"\b(ASSERT|DCHECK|static_assert|deliberate_bug|deliberately|case|enum|template|operator|using)\b")

_STATEMENT = re.compile(r"^[ ]+(?!return\b|break\b|continue\b|delete\b|goto\b|throw\b|else\b|if\b|for\b|while\b|do\b|switch\b)"
                        r"(?:\+\+|--|[A-Za-z_][\w:]*(?:\.|->|\(|\[|\+\+|--| [-+|&*/]?= )).*;[ ]*$")


@dataclasses.dataclass(frozen=True)
class Fault:
    """`text[start:end]` becomes `after`."""
    kind: str
    start: int
    end: int
    after: str

    def applied(self, text):
        return text[:self.start] + self.after + text[self.end:]


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def blanked(text):
    """The text with comments, literals of text and preprocessor lines as blanks; every other byte keeps its place."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^()\\ ]{0,16})\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"'
                         r"|(?<![\w'])'(?:\\.|[^'\\\n])+'|^[ ]*#[^\n]*", re.DOTALL | re.MULTILINE)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def closing(code, opening):
    """The place behind the parenthesis that closes the one at `opening`, or None."""
    depth = 0
    for at in range(opening, min(len(code), opening + 400)):
        depth += {"(": 1, ")": -1}.get(code[at], 0)
        if depth == 0:
            return at + 1
    return None


def _operators(code):
    for match in re.finditer(r"(?<=\s)(<=|>=|==|!=|<|>|&&|\|\||\+=|-=|\|=|[-+*/&])(?=\s)", code):
        word = match.group()
        for kind, table in (("comparison", RELATIONS), ("logic", LOGIC), ("arithmetic", ARITHMETIC)):
            if word in table:
                yield Fault(kind, *match.span(), table[word])
    for match in re.finditer(r"(?<=[\s(])!(?=[\w(])", code):
        yield Fault("negation", *match.span(), "")
    for match in re.finditer(r"\+\+(?=\w)|--(?=\w)", code):
        yield Fault("arithmetic", *match.span(), "--" if match.group() == "++" else "++")


def _constants(code):
    for match in re.finditer(r"(?<![\w.'])(\d+)(?![\w.'])", code):
        yield Fault("constant", *match.span(), str(int(match.group()) + 1))
    for match in re.finditer(r"\b(true|false)\b", code):
        yield Fault("constant", *match.span(), "false" if match.group() == "true" else "true")


def _conditions(code):
    for match in re.finditer(r"\bif \(", code):
        end = closing(code, match.end() - 1)
        if end is None or ";" in code[match.end():end]:
            continue
        for always in ("true", "false"):
            yield Fault("condition", match.end(), end - 1, always)


def _statements(code):
    position, before = 0, "{"
    for line in code.split("\n"):
        whole = line.count("(") == line.count(")") and before[-1:] in ("{", "}", ";", ":", ")")
        if whole and _STATEMENT.match(line):
            start = position + len(line) - len(line.lstrip())
            yield Fault("statement", start, position + len(line.rstrip()), ";")
        position += len(line) + 1
        if line.strip():
            before = line.strip()


def _arguments(code):
    simple = r"[A-Za-z_*&][\w.:>-]*"
    for match in re.finditer(rf"(?<=[\w>])\(({simple}), ({simple})(?=[,)])", code):
        first, second = match.group(1), match.group(2)
        if first != second:
            yield Fault("arguments", match.start(1), match.end(2), f"{second}, {first}")


def candidates(text):
    """Every fault that can be made in the text, in the order of the text."""
    code = blanked(text)
    lines = code.split("\n")
    found = []
    for maker in (_operators, _constants, _conditions, _statements, _arguments):
        for fault in maker(code):
            number = line_of(code, fault.start) - 1
            declares = re.match(r"^\s*(static )?constexpr\b.*\bk[A-Z]", lines[number])
            if not LEFT_ALONE.search(lines[number]) and not declares:
                found.append(fault)
    return sorted(found, key=lambda fault: (fault.start, fault.end, fault.after))


def drawn(texts, seed):
    """Faults of {path: text} as (path, fault), endless as far as there are any; the kinds take turns, so that the many
    constants do not crowd out the few swapped arguments. A line is drawn once. The same seed and text give the same."""
    chance = random.Random(seed)
    by_kind = {}
    for path in sorted(texts):
        for fault in candidates(texts[path]):
            by_kind.setdefault(fault.kind, []).append((path, fault))
    for faults in by_kind.values():
        chance.shuffle(faults)
    taken = set()
    while any(by_kind.values()):
        for kind in sorted(by_kind):
            while by_kind[kind]:
                path, fault = by_kind[kind].pop()
                line = (path, line_of(texts[path], fault.start))
                if line not in taken:
                    taken.add(line)
                    yield path, fault
                    break
