#!/usr/bin/python3
"""That the judge can say no: a difference that is not named, a named one that is none, a scenario that does not parse."""

import random
import sys
import unittest

sys.dont_write_bytecode = True
import compare
import judge
import mutate
import scenario

TEXT = "# Shows something.\nset: a = b\nmain:   b = c\nfile: map x y\nfile: map z\nserver: rcpt x@y.test = 550 no\n> EHLO me\n| MAIL FROM:<a@b>\n= line\n~ raw\\r\\n\n> .\n"


class JudgeTest(unittest.TestCase):
    def test_a_scenario_reads_as_it_is_written(self):
        story = scenario.parse("x", TEXT)
        self.assertEqual(story.settings, {"a": "b"})
        self.assertEqual((story.main, story.files), (["  b = c"], {"map": ["x y", "z"]}))
        self.assertEqual(story.server, {"rcpt x@y.test": "550 no"})
        self.assertEqual([(step.data, step.replies) for step in story.steps],
                         [(b"EHLO me\r\nMAIL FROM:<a@b>\r\n", 2), (b"line\r\n", 0), (b"raw\r\n", 0), (b".\r\n", 1)])

    def test_what_is_no_scenario_is_named_with_its_line(self):
        for text, words in (("> EHLO me\n", "comment"), ("# x\n", "dialogue"), (TEXT + "what\n", "x:12"),
                            (TEXT + "differs everything id\n", "ASPECT")):
            with self.assertRaises(scenario.Malformed) as caught:
                scenario.parse("x", text)
            self.assertIn(words, str(caught.exception))

    def test_scenarios_share_relays_when_their_whole_configuration_is_the_same(self):
        story = scenario.parse("x", TEXT)
        self.assertEqual(story.configuration, scenario.parse("y", TEXT.replace("550 no", "450 no")).configuration)
        for line in ("set: a = b", "main:   b = c", "file: map z"):
            self.assertNotEqual(story.configuration, scenario.parse("y", TEXT.replace(line, line + "!")).configuration)

    def test_a_difference_that_is_not_named_is_a_complaint(self):
        story = scenario.parse("x", TEXT)
        self.assertEqual(judge.judge(story, {"replies": ["250 Ok"]}, {"replies": ["250 Ok"]}), [])
        self.assertEqual(len(judge.judge(story, {"replies": ["250 Ok"]}, {"replies": ["250 ok"]})), 1)

    def test_a_named_difference_holds_to_the_letter_and_as_long_as_it_is_one(self):
        story = scenario.parse("x", TEXT + "differs replies some-id\n-250 Ok\n+250 ok\n")
        self.assertEqual(judge.judge(story, {"replies": ["250 Ok"]}, {"replies": ["250 ok"]}), [])
        self.assertEqual(len(judge.judge(story, {"replies": ["250 Ok"]}, {"replies": ["250 OK"]})), 1)
        self.assertEqual(len(judge.judge(story, {"replies": ["250 Ok"]}, {"replies": ["250 Ok"]})), 1)

    def test_nothing_but_ids_times_and_pids_is_hidden(self):
        names = compare.Names(["4SVLCh011WzbL"], [b"id 4SVLCh011WzbL;"])
        self.assertEqual(names.hide("queued as 4SVLCh011WzbL size=113 to=<a@b>"), "queued as QID1 size=100 to=<a@b>")
        line = "Nov 30 10:00:00 relay postfix/smtp[77]: 4SVLCh011WzbL: to=<a@b>, delay=1.2, delays=1/0/0/0.2, dsn=2.0.0"
        self.assertEqual(compare.log(names, [line]), ["smtp: QID1: to=<a@b>, dsn=2.0.0"])

    def test_the_page_has_the_identifiers_that_scenarios_cite(self):
        self.assertIn("etrn", judge.identifiers_of_page())

    def test_what_differs_is_shrunk_to_the_shortest_dialogue(self):
        steps = [scenario.Step(f"{n}\r\n".encode(), 1) for n in range(9)]
        short = mutate.shrunk(steps, lambda candidate: any(step.data == b"5\r\n" for step in candidate))
        self.assertEqual([step.data for step in short], [b"5\r\n"])

    def test_what_needs_no_second_complaint_is_named_by_the_page(self):
        self.assertLessEqual({identifier for _, identifier in mutate.KNOWN}, judge.identifiers_of_page())
        self.assertFalse(mutate.is_known([scenario.Step(b"MAIL FROM:<a@b.test>\r\n", 1), scenario.Step(b"VRFY x\r\n", 1)]))

    def test_a_seed_mutates_the_same_again(self):
        once, again = ([mutate.mutated(chance) for _ in range(50)] for chance in (random.Random(3), random.Random(3)))
        self.assertEqual(once, again)


if __name__ == "__main__":
    unittest.main()
