"""How strictly a result is compared: the manifest says so for an output, and what it does not say is as for all."""

import re
from dataclasses import replace

import pytest

from bundle_making import make_run
from rtrace.manifest.model import Comparison, Manifest, NamedFile, Output
from rtrace.verify.kinds.model import Rule
from rtrace.verify.rules import Rules, make_rule

DEFAULT = Rule(tolerance=1e-9)


def make_rules(**compared: Comparison | None) -> Rules:
    """Return the rules of a manifest, by the paths of its outputs; `__` stands for a slash."""
    outputs = (NamedFile(name, name.replace("__", "/").encode(), (), None, one) for name, one in compared.items())
    return Rules(Manifest("x", (), outputs=tuple(outputs)), DEFAULT)


@pytest.mark.parametrize(
    "path, tolerance",
    [(b"/a", 0.1), (b"/b", 1e-9), (b"/f", 0.2), (b"/f/x/y", 0.2), (b"/f/own", 1e-9), (b"/a/x", 1e-9), (b"/ff", 1e-9)],
)
def test_the_nearest_rule_counts(path: bytes, tolerance: float) -> None:
    """That of the output itself, or of the folder that it is in; a file is no folder."""
    rules = make_rules(__a=Comparison(0.1), __b=None, __f__=Comparison(0.2), __f__own=Comparison(ignore=("x",)))
    assert rules.find(path).tolerance == tolerance


def test_what_is_not_said_is_as_for_all() -> None:
    """Numbers, order, and what is left out."""
    default = Rule(1e-3, 5.0, (re.compile("a"),), unordered=True)
    rule = make_rule(Comparison(tolerance=0.0, ignore=("b",)), default)
    assert (rule.tolerance, rule.absolute, rule.unordered) == (0.0, 5.0, True)
    assert [pattern.pattern for pattern in rule.ignore] == ["a", "b"]
    assert make_rule(None, default) is default


def test_a_stream_has_a_rule_of_its_own() -> None:
    """Each of its run's."""
    run = replace(make_run(), stdout=Output("pipe", compare=Comparison(0.5)), stderr=None)
    rules = make_rules()
    assert rules.find_of_stream(run, "stdout").tolerance == 0.5
    assert rules.find_of_stream(run, "stderr") is DEFAULT
