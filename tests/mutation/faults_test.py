#!/usr/bin/python3
"""That faults are made where they should be, and nowhere else."""

import sys
import unittest

sys.dont_write_bytecode = True
import faults
import nets


def made(text, kind=None):
    return {fault.applied(text).strip() for fault in faults.candidates(text) if kind in (None, fault.kind)}


class FaultsTest(unittest.TestCase):
    def test_a_comparison_moves_by_one(self):
        self.assertEqual(made("    return a < b;\n", "comparison"), {"return a <= b;"})
        self.assertEqual(made("    return a == b;\n", "comparison"), {"return a != b;"})

    def test_angle_brackets_of_types_are_no_comparison(self):
        self.assertEqual(made("    std::vector<int> x;\n"), set())

    def test_and_becomes_or_but_a_reference_stays(self):
        self.assertEqual(made("    return a && b;\n", "logic"), {"return a || b;"})
        self.assertEqual(made("    void take(T&& x);\n", "logic"), set())

    def test_a_constant_is_off_by_one(self):
        self.assertEqual(made("    return 7;\n", "constant"), {"return 8;"})
        self.assertEqual(made("    return true;\n", "constant"), {"return false;"})
        self.assertEqual(made("    return 0x10 + x2 + 1'000;\n", "constant"), set())

    def test_a_statement_is_dropped(self):
        self.assertEqual(made("    list_.erase(at);\n", "statement"), {";"})
        self.assertEqual(made("    count_ = total;\n", "statement"), {";"})

    def test_declarations_and_parts_of_statements_stay(self):
        for text in ("    int count = total;\n", "    Guard guard(lock);\n", "    call(a,\n    other(b));\n", "    return f(x);\n"):
            self.assertEqual(made(text, "statement"), set(), text)

    def test_a_condition_always_or_never_holds(self):
        self.assertEqual(made("    if (f(a) == b) return;\n", "condition"), {"if (true) return;", "if (false) return;"})

    def test_arguments_are_swapped(self):
        self.assertEqual(made("    move(from, to);\n", "arguments"), {"move(to, from);"})
        self.assertEqual(made("    move(same, same);\n", "arguments"), set())

    def test_a_negation_is_dropped(self):
        self.assertEqual(made("    return !ready;\n", "negation"), {"return ready;"})

    def test_text_comments_and_directives_are_left_alone(self):
        for text in ('    log("a < b && 1");\n', "// a < b\n", "/* 1 + 1 */\n", "#if 1 < 2\n", "    x('<');\n"):
            found = {fault.kind for fault in faults.candidates(text)}
            self.assertLessEqual(found, {"statement"}, text)

    def test_assertions_and_hooks_are_left_alone(self):
        for text in ("    ASSERT(a < b);\n", "    if (deliberate_bug(1)) x();\n"):
            self.assertEqual(made(text), set(), text)

    def test_a_seed_draws_the_same_again_and_a_line_once(self):
        texts = {"a.cpp": "".join(f"    x{n} = a{n} < {n} && b(c, d);\n" for n in range(40))}
        once, again, other = (list(faults.drawn(texts, seed)) for seed in (1, 1, 2))
        self.assertEqual(once, again)
        self.assertNotEqual(once, other)
        lines = [faults.line_of(texts[path], fault.start) for path, fault in once]
        self.assertEqual(len(lines), len(set(lines)))
        self.assertEqual(len(lines), 40)

    def test_every_part_has_its_unit_tests_first_and_a_unit_test_of_its_own(self):
        for name, part in nets.PARTS.items():
            self.assertTrue(part.nets[0].target.endswith("_test"), name)


if __name__ == "__main__":
    unittest.main()
