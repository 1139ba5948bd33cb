"""An observer that cannot look says so: nothing that a run used is missing from a trace in silence."""

from __future__ import annotations

from rtrace.capture.kernel.architecture import native_architectures
from rtrace.capture.kernel.numbers import load_numbers


def test_numbers_of_the_calls_that_make_children_are_known() -> None:
    """Every interface has a number for clone, clone3 and prctl."""
    for architecture in native_architectures():
        numbers = load_numbers(architecture.name)
        assert (architecture.clone, architecture.clone3) == (numbers["clone"], numbers["clone3"])
        assert architecture.prctl == numbers["prctl"]
