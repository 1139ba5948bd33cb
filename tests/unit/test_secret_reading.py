"""The table of secrets beside the code: what its notation means, and that a mistake in it does not go unseen."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rtrace.privacy.rules.reading import expand, read_rules
from rtrace.privacy.rules.rule import Later
from rtrace.privacy.rules.table import RULES

COMPILED = """
from rtrace.privacy.rules.rule import Later
from rtrace.privacy.rules.table import RULES
print(sum(isinstance(rule.pattern, Later) for rule in RULES))
print([rule.id for rule in RULES if isinstance(rule.pattern, Later) and rule.pattern.is_compiled])
"""


@pytest.mark.parametrize(
    "words, expected",
    [
        ("akia", [b"akia"]),
        ("hv[sb].", [b"hvb.", b"hvs."]),
        ("[sr]k_(live|test)_", [b"rk_live_", b"rk_test_", b"sk_live_", b"sk_test_"]),
        (r"a\x20b\nc\td\0e", [b"a b\nc\td\0e"]),
        (r"\\\"d\[\(", [rb"\"d[("]),
        (r"(cookie|cookies)(=|\x20=)", [b"cookie=", b"cookie =", b"cookies=", b"cookies ="]),
        ("[a-cA]", [b"a", b"a", b"b", b"c"]),
    ],
)
def test_a_word_may_stand_for_several(words: str, expected: list[bytes]) -> None:
    """Sets and choices are written out, in small letters."""
    assert expand(words) == expected


def test_a_section_is_a_rule() -> None:
    """Fields that are not there have the values that the head of the table gives."""
    text = """
# a comment
[&kind]
is = a|b

[one-key]
what = a key of one
pattern = x(?&kind)=
    (?P<value>[0-9]{4})
near = xa= xb=
rest = none
check = real
"""
    (rule,) = read_rules(text)
    assert (rule.id, rule.what, rule.needles) == ("one-key", "a key of one", (b"xa=", b"xb="))
    assert (rule.reach, rule.back, rule.starts, rule.loose) == (256, 160, False, False)
    assert rule.pattern is not None
    match = rule.pattern.match(b"xb=1234", 0, 7)
    assert match is not None
    assert match["value"] == b"1234"


@pytest.mark.parametrize(
    "section, told",
    [
        ("what = a key\ntoken = x\nnaer = x", "naer"),
        ("what = a key\npattern = x\ncheck = reel", "reel"),
        ("what = a key\npattern = (?&nothing)", "nothing"),
        ("what = a key\npattern = x\nwhere = nowhere", "nowhere"),
        ("what = a key\npattern = x\nrest = [", "unterminated"),
        ("what = a key\npattern = x\nloose = maybe", "maybe"),
        ("token = x", "what"),
        ("what = a key\nwhat = a token", "line 3"),
        ("what a key", "line 2"),
    ],
)
def test_a_mistake_is_told(section: str, told: str) -> None:
    """A field, a name or a line that means nothing ends the reading, and is named."""
    with pytest.raises(ValueError, match=told):
        read_rules(f"[one-key]\n{section}\n")


def test_every_pattern_is_one() -> None:
    """Patterns are compiled when they are tried: here all are, and none can do without its end."""
    for rule in RULES:
        pattern = rule.pattern.compile() if isinstance(rule.pattern, Later) else rule.pattern
        if pattern is not None:
            assert pattern.match(b"") is None or not rule.needles, rule.id


def test_words_are_such_as_are_found() -> None:
    """A text is searched in small letters: a word with a capital, or an empty one, would be of no use."""
    assert [(rule.id, word) for rule in RULES for word in rule.needles if word != word.lower() or not word] == []
    assert [rule.id for rule in RULES if rule.starts and not rule.needles] == []


def test_reading_the_table_compiles_no_pattern() -> None:
    """The start of a search does not pay for kinds of secrets that no file holds."""
    done = subprocess.run([sys.executable, "-c", COMPILED], check=True, capture_output=True, text=True)
    number, compiled = done.stdout.splitlines()
    assert int(number) > 150
    assert compiled == "[]"
