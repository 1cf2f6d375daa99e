#!/usr/bin/python3
"""Every check of tidy.py against a small tree with one fault: a check that cannot fail checks nothing."""

import os
import shutil
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import tidy

HEADER = "// base/good.h: a header as it should be.\n#pragma once\n\nnamespace posthaste {}\n"
CLEAN = {
    "src/base/good.h": HEADER,
    "src/base/good.cpp": '#include "base/good.h"\n',
    "src/base/README.md": "# base\n",
    "src/base/CMakeLists.txt": "posthaste_folder(base)\n",
    "src/mail/README.md": "# mail\n",
    "tests/README.md": "# tests\n",
    "bench/README.md": "# bench\n",
    "deploy/packages.txt": "# list\nbuild  g++\ntest   swaks\n",
}


class TidyTest(unittest.TestCase):
    def complaints(self, check, files=None, without=()):
        root = tempfile.mkdtemp(prefix="posthaste-tidy-")
        self.addCleanup(shutil.rmtree, root)
        for path, text in {**CLEAN, **(files or {})}.items():
            if path in without:
                continue
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(text)
        return list(check(tidy.Tree(root)))

    def assert_finds(self, check, path, text, words=""):
        found = self.complaints(check, {path: text})
        self.assertEqual(len(found), 1, found)
        self.assertIn(path, found[0])
        self.assertIn(words, found[0])

    def test_a_clean_tree_has_no_complaints(self):
        for check in tidy.CHECKS:
            if check not in (tidy.reference, tidy.format):
                self.assertEqual(self.complaints(check), [], check.__name__)

    def test_every_check_is_a_ctest(self):
        with open(os.path.join(tidy.HERE, "CMakeLists.txt"), encoding="utf-8") as f:
            listed = f.read().split("foreach(check ")[1].split(")")[0].split()
        self.assertEqual(listed, [check.__name__ for check in tidy.CHECKS])

    def test_an_include_of_a_higher_floor(self):
        self.assert_finds(tidy.includes, "src/base/up.cpp", '#include "mail/address.h"\n')
        self.assert_finds(tidy.includes, "src/mail/side.cpp", '#include "runtime/loop.h"\n')

    def test_a_service_that_includes_another(self):
        self.assert_finds(tidy.includes, "src/scheduler/x.cpp", '#include "egress/smtp/lane.h"\n')
        self.assert_finds(tidy.includes, "src/cleanup/cleanup/x.cpp", '#include "cleanup/rewrite/routing.h"\n')

    def test_what_is_allowed_is_allowed(self):
        self.assertEqual(self.complaints(tidy.includes, {
            "src/scheduler/x.cpp": '#include <string>\n\n#include "base/result.h"\n#include "mail/wire/extent.h"\n',
            "src/store/x.cpp": "#include <rocksdb/db.h>\n"}), [])

    def test_rocksdb_outside_the_store(self):
        self.assert_finds(tidy.includes, "src/scheduler/x.cpp", "#include <rocksdb/db.h>\n", "src/store")

    def test_a_service_that_includes_what_only_tests_have(self):
        self.assert_finds(tidy.includes, "src/store/x.cpp", '#include "support/sim_disk.h"\n', "support/")
        self.assertEqual(self.complaints(tidy.includes, {"src/store/x_test.cpp": '#include "support/sim_disk.h"\n'}), [])

    def test_a_folder_nobody_put_on_a_floor(self):
        self.assert_finds(tidy.includes, "src/extra/x.cpp", "\n", "floors")

    def test_a_header_without_its_name_or_guard(self):
        self.assert_finds(tidy.headers, "src/base/x.h", "#pragma once\n", "begins with")
        self.assert_finds(tidy.headers, "src/base/x.h", "// base/x.h: something useful here.\n", "#pragma once")
        self.assert_finds(tidy.headers, "src/base/x.h", "// base/y.h: something useful here.\n#pragma once\n")

    def test_a_heavy_header(self):
        self.assert_finds(tidy.light_headers, "src/base/x.h", "#include <iostream>\n")
        self.assert_finds(tidy.light_headers, "src/base/x.h", "using namespace std;\n")

    def test_a_long_file(self):
        self.assert_finds(tidy.length, "src/base/x.cpp", "int x;\n" * 601)
        self.assertEqual(self.complaints(tidy.length, {"src/base/x.cpp": "int x;\n" * 600}), [])

    def test_leftovers(self):
        for text in ("// TODO: later\n", "// FIXME\n", "<<<<<<< mine\n", "int x; \n", "\tint x;\n", "int x;"):
            self.assert_finds(tidy.leftovers, "src/base/x.cpp", text)

    def test_throwing(self):
        self.assert_finds(tidy.no_throw, "src/base/x.cpp", "void f() { throw 1; }\n")
        self.assert_finds(tidy.no_throw, "src/base/x.cpp", "void f() { assert(x); }\n")
        self.assertEqual(self.complaints(tidy.no_throw, {
            "src/base/x.cpp": '// may not throw\nconst char* s = "throw"; static_assert(true);\n'}), [])

    def test_a_clock_of_its_own(self):
        self.assert_finds(tidy.no_clock, "src/mail/x.cpp", "auto t = std::chrono::steady_clock::now();\n")
        self.assert_finds(tidy.no_clock, "src/mail/x.cpp", "int r = rand();\n")

    def test_a_folder_without_readme(self):
        self.assertEqual(len(self.complaints(tidy.readmes, without=("src/base/README.md",))), 1)

    def test_a_broken_link(self):
        self.assert_finds(tidy.links, "tests/page.md", "see [it](nowhere.md)\n", "nowhere.md")
        self.assertEqual(self.complaints(tidy.links, {"tests/page.md": "[a](README.md) [b](https://x.example/)\n"}), [])

    def test_an_orphan(self):
        self.assert_finds(tidy.orphans, "src/base/alone.h", HEADER, "nobody")
        found = self.complaints(tidy.orphans, {"src/mail/x.cpp": "int x;\n"})
        self.assertEqual(found, ["src/mail: sources, but no CMakeLists.txt"])

    def test_a_package_that_is_not_listed(self):
        self.assert_finds(tidy.packages, "tests/x.py", 'run("msmtp", "-v")\n', "msmtp")
        self.assert_finds(tidy.packages, "tests/x.py", 'run("unheard-of")\n', "say in")
        self.assert_finds(tidy.packages, "tests/x.py", "import dns.resolver\n", "python3-dnspython")
        self.assert_finds(tidy.packages, "cmake/x.cmake", "find_package(GTest REQUIRED)\n", "libgtest-dev")
        self.assertEqual(self.complaints(tidy.packages, {"tests/x.py": 'import os\n\nrun("swaks", "-v")\n'}), [])
        self.assertEqual(len(self.complaints(tidy.packages, {"deploy/packages.txt": "build a\nbuild a\nsome b\n"})), 2)

    def test_a_script_that_cannot_be_run(self):
        self.assert_finds(tidy.executable, "deploy/go", "#!/bin/bash\n")

    def test_port_25(self):
        self.assert_finds(tidy.ports, "tests/x.py", 'connect("127.0.0.1:25")\n')
        self.assertEqual(self.complaints(tidy.ports, {"tests/x.py": 'connect("127.0.0.1:2525")\n'}), [])

    def test_a_page_without_its_program(self):
        self.assertEqual(len(self.complaints(tidy.reference)), 1)

    @unittest.skipUnless(shutil.which(tidy.CLANG_FORMAT), "no clang-format-14")
    def test_a_file_in_another_format(self):
        with open(os.path.join(tidy.ROOT, ".clang-format"), encoding="utf-8") as f:
            style = f.read()
        found = self.complaints(tidy.format, {".clang-format": style, "src/base/x.cpp": "int   x ;\n"})
        self.assertEqual(found, ["src/base/x.cpp: run tests/tidy/format"])


if __name__ == "__main__":
    unittest.main()
