"""What every macro benchmark writes: the machine, a page, the raw numbers, a picture."""

import json
import os
import platform
import subprocess

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
RESULTS = os.path.join(ROOT, "bench/results")


def describe_machine():
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    postfix = subprocess.run(["postconf", "-d", "-h", "mail_version"], capture_output=True, text=True).stdout.strip()
    with open("/proc/cpuinfo") as f:
        model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), "unknown CPU")
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(), "commit": commit, "postfix": postfix}


def machine_words(machine):
    return f"at {machine['commit']}, {machine['cores']} cores of {machine['cpu']}, Linux {machine['kernel']}"


def table(head, rows):
    """Markdown; a cell may be anything that prints."""
    def line(cells):
        return "| " + " | ".join(str(cell) for cell in cells) + " |"
    return [line(head), "|" + "---|" * len(head), *(line(row) for row in rows)]


def verdict(kept):
    return "kept" if kept else "**missed**"


def write_results(name, results, lines, plot, size="1000,420"):
    """bench/results/NAME.{json,md,svg}; `plot` is gnuplot's text behind terminal and output."""
    os.makedirs(RESULTS, exist_ok=True)
    with open(os.path.join(RESULTS, f"{name}.json"), "w") as f:
        json.dump(results, f, indent=1)
    with open(os.path.join(RESULTS, f"{name}.md"), "w") as f:
        f.write("\n".join([*lines, "", f"![{name}]({name}.svg)", ""]))
    draw(os.path.join(RESULTS, f"{name}.svg"), plot, size)
    print(f"written: {RESULTS}/{name}.md, {name}.json, {name}.svg")


def draw(path, plot, size):
    script = f'set terminal svg size {size} font "sans,11"\nset output "{path}"\n{plot}'
    subprocess.run(["gnuplot"], input=script, text=True, check=True, capture_output=True)
