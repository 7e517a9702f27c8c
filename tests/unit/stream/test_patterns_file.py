"""Patterns from a file: what is refused and how, and what happens when the file changes."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

import pytest

from kolray.errors import SettingsError
from kolray.settings import StreamSettings
from kolray.stream.patterns import RULES, Patterns
from kolray.stream.patterns.reading import parse, read
from kolray.stream.patterns.watching import PatternsFile, open_rules
from kolray.testing.clock import FakeClock
from tests.unit.stream.closed import hours, likes

WINDOWS = StreamSettings().windows
HEAD = '[[pattern]]\nname = "mine"\n'
STEP = '[[pattern.step]]\nwhen = "likes > 1"\n'
VALUE = '[[pattern.step]]\nvalue = "likes"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pattern = [", "not TOML"),
        ("[[patern]]", "unknown key 'patern'; known are pattern"),
        ('pattern = "x"', "under its own [[pattern]]"),
        ('shipped = "yes"', "write true"),
        ('[[pattern]]\nname = "a b"\n' + STEP, "pattern 1 has name = 'a b'"),
        (HEAD, "'mine': it has no steps"),
        (HEAD + 'color = "red"\n' + STEP, "'mine': unknown key 'color'"),
        (HEAD + 'severity = "loud"\n' + STEP, "severity = 'loud'; choose one of info, warning, high"),
        (HEAD + 'window = "1x"\n' + STEP, "'mine': window '1x': write SIZE"),
        (HEAD + 'window = "7m"\n' + STEP, "window '7m' is not computed; choose one of 5m, 15m"),
        (HEAD + STEP + HEAD + STEP, "two patterns are named 'mine'"),
        ("shipped = true\n" + HEAD.replace("mine", "click_storm") + STEP, "two patterns are named 'click_storm'"),
        (HEAD + STEP + 'whne = "1"', "step 1: unknown key 'whne'; known are value, only, when"),
        (HEAD + "[[pattern.step]]\ntimes = 2", "step 1: it has neither value nor when"),
        (HEAD + '[[pattern.step]]\nwhen = "likes >"', "is no SQL expression"),
        (HEAD + '[[pattern.step]]\nwhen = "lykes > 1"', "unknown column 'lykes'; known are kol_id, events"),
        (HEAD + '[[pattern.step]]\nwhen = "value > 1"', "with a `value` also value, previous, own_n"),
        (HEAD + '[[pattern.step]]\nwhen = "likes"', "is Int64, not a condition"),
        (HEAD + '[[pattern.step]]\nvalue = "likes > 1"', "is Boolean, not a number"),
        (HEAD + '[[pattern.step]]\nwhen = "likes > AVG(likes)"', "looks at several rows"),
        (HEAD + VALUE + 'only = "ctr"', "only = 'ctr' is Float64, not a condition"),
        (HEAD + VALUE + 'sigmas = "4"', "sigmas = '4'; write a number"),
        (HEAD + VALUE + "sigmas = -1", "sigmas = -1.0 must be at least 0"),
        (HEAD + VALUE + "sigmas = nan", "sigmas = nan must be at least 0"),
        (HEAD + VALUE + "times = 1.5", "times = 1.5; write a whole number"),
        (HEAD + VALUE + "times = true", "times = True; write a whole number"),
        (HEAD + VALUE + "times = 0", "times = 0 must be at least 1"),
        (HEAD + VALUE + "falls = 1\nrises = 1", "exclude each other"),
        (HEAD + STEP + "sigmas = 3", "sigmas needs a value"),
        (HEAD + STEP + "within = 3", "there is none; remove it"),
        (HEAD + STEP + STEP + 'within = "3 hours"', "step 2: within = '3 hours' is no duration; write 90m, 3h, 2d"),
        (HEAD + STEP + STEP + 'within = "90m"', "is not a whole number of 1h windows; choose a multiple of 60 min"),
        (HEAD + STEP + STEP + 'within = "20d"', "must be more than 0 and less than 14 days"),
        (HEAD + STEP + STEP + "within = true", "write a duration such as 3h, or a number of windows"),
        (HEAD + STEP + "not = true\nwithin = 3", "every step is `not`"),
        (HEAD + STEP + "not = true\n" + STEP, "at the beginning or end needs a time"),
        (HEAD + STEP + STEP + "not = true\nwithin = 1\n" + STEP, "lasts until the next matches"),
        (HEAD + STEP + 2 * (STEP + "not = true\nwithin = 1\n"), "only one `not` step may end a pattern"),
    ],
)
def test_a_mistake_is_named_with_its_file(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(text, "mine.toml", WINDOWS)
    assert said in str(caught.value)
    assert str(caught.value).startswith("mine.toml: ")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none.toml: the patterns cannot be read .* correct stream.patterns_file"):
        read(tmp_path / "none.toml")


def test_a_file_may_keep_the_shipped_patterns() -> None:
    assert parse("shipped = true\n" + HEAD + STEP, "mine.toml")[:-1] == RULES
    assert len(parse(HEAD + STEP, "mine.toml")) == 1


def test_a_step_says_the_same_in_toml_and_python() -> None:
    read_from, [rule] = RULES, parse(HEAD + VALUE + "sigmas = 4\nmin_sd = 5", "mine.toml")
    assert rule.steps[0].sigmas == 4.0
    assert rule.steps[0].min_history == read_from[0].steps[0].min_history == 12


@pytest.mark.parametrize("text", ["7d", "168h", "2h"])
def test_durations_mean_what_they_say(text: str) -> None:
    [rule] = parse(HEAD + STEP + STEP + f'within = "{text}"', "mine.toml")
    assert rule.within_ms(1) == {"7d": 168, "168h": 168, "2h": 2}[text] * 3_600_000


class Edited:
    """A patterns file, its clock, and what was logged."""

    def __init__(self, folder: Path) -> None:
        self.path, self.clock, self.edits = folder / "patterns.toml", FakeClock(), 0
        self.path.write_text(HEAD + STEP)
        self.file = PatternsFile(self.path, WINDOWS, self.clock)
        self.first = self.file.rules()

    def write(self, text: str) -> None:
        """Writes, with a time of change of its own whatever the file system's resolution."""
        self.path.write_text(text)
        self.edits += 1
        os.utime(self.path, ns=(self.edits, self.edits))


@pytest.fixture
def edited(tmp_path: Path) -> Edited:
    """One pattern, ``mine``, read at the start."""
    return Edited(tmp_path)


def test_a_changed_file_is_taken_up_within_a_second(edited: Edited) -> None:
    edited.write(HEAD + STEP + STEP)
    assert edited.file.rules() is edited.first
    edited.clock.advance(1)
    assert [len(rule.steps) for rule in edited.file.rules()] == [2]


def test_a_touched_or_reworded_file_changes_nothing(edited: Edited) -> None:
    for text in (HEAD + STEP, "# a comment\n" + HEAD + STEP):
        edited.write(text)
        edited.clock.advance(1)
        assert edited.file.rules() is edited.first


def test_a_broken_file_keeps_the_old_rules_and_says_so_once(edited: Edited, caplog: pytest.LogCaptureFixture) -> None:
    edited.write(HEAD)
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            edited.clock.advance(1)
            assert edited.file.rules() is edited.first
    [record] = caplog.records
    assert "patterns stay as they were" in record.getMessage()
    assert "it has no steps" in record.getMessage()
    edited.write(HEAD.replace("mine", "yours") + STEP)
    edited.clock.advance(1)
    assert [rule.name for rule in edited.file.rules()] == ["yours"]


def test_a_file_that_vanishes_keeps_the_old_rules(edited: Edited, caplog: pytest.LogCaptureFixture) -> None:
    edited.path.unlink()
    edited.clock.advance(1)
    assert edited.file.rules() is edited.first
    assert "is gone" in caplog.text


def test_a_file_broken_at_the_start_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "patterns.toml"
    path.write_text(HEAD)
    with pytest.raises(SettingsError, match="it has no steps"):
        open_rules(str(path), WINDOWS, FakeClock())
    assert open_rules(None, WINDOWS, FakeClock())() is RULES


def test_an_edit_in_the_middle_keeps_what_stayed_the_same(edited: Edited) -> None:
    pair = HEAD + STEP.replace("likes > 1", "likes = 1") + STEP.replace("likes > 1", "likes = 2")
    edited.write(pair)
    edited.clock.advance(1)
    patterns = Patterns(edited.file.rules())
    patterns.on_closed(likes("01"))
    edited.write(pair + HEAD.replace("mine", "other") + STEP)
    edited.clock.advance(1)
    patterns.replace(edited.file.rules())
    alerts = patterns.on_closed(likes("2", start=2))
    assert sorted(alerts["rule"]) == ["mine", "other"]
    assert hours(alerts) == [2, 2]


def test_the_example_of_the_documentation_is_a_pattern_file() -> None:
    text = (Path(__file__).parents[3] / "docs" / "patterns.md").read_text()
    [example] = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert parse(example, "docs/patterns.md", ("1h",))[-1].name == "bought_crowd"
