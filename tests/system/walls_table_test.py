#!/usr/bin/python3
"""docs/security.md is what an intruder finds in the sandbox of each role: tests/walls puts it there and compares."""

import os
import subprocess

from harness import BUILD, main

PAGE = os.path.join(os.path.dirname(__file__), "../../docs/security.md")
OLD_KERNEL = 77


def survey():
    result = subprocess.run([os.path.join(BUILD, "tests/walls/walls_survey")], capture_output=True, text=True, timeout=240)
    if result.returncode == OLD_KERNEL:
        print(f"not compared: {result.stderr.strip()}")
        return None
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_page_says_what_the_intruder_finds():
    found = survey()
    if found is None:
        return
    with open(PAGE, encoding="utf-8") as f:
        told = f.read()
    # What this kernel has not at all says nothing about the walls. (Some walls say ENOSYS too, and the page says so then.)
    def rows_of_enosys(page):
        return {line.split("|")[1] for line in page.splitlines() if "ENOSYS" in line and line.startswith("|")}
    missing = rows_of_enosys(found) - rows_of_enosys(told)
    if missing:
        print(f"not compared, this kernel lacks it:{','.join(sorted(missing))}")
    told, found = ("\n".join(line for line in page.splitlines() if line.split("|")[1:2] == [] or line.split("|")[1] not in missing)
                   for page in (told, found))
    for number, (said, was) in enumerate(zip(told.splitlines(), found.splitlines()), 1):
        assert said == was, f"docs/security.md:{number}: (sudo tests/walls/renew)\n said  {said}\n found {was}"
    assert told == found, "docs/security.md: longer or shorter than what was found (sudo tests/walls/renew)"


main(globals())
