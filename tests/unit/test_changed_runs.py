"""A run changed for one replay: what is given takes the place of what was recorded, byte for byte, and nothing else."""

from dataclasses import replace

import pytest

from bundle_samples import RUN
from rtrace.errors import UsageError
from rtrace.replay.changing import (
    NO_CHANGES,
    Changes,
    change_run,
    describe_changes,
    find_passed,
    read_arguments,
    read_variable,
    refuse_several,
)

ENVIRON = ((b"A", b"1"), (b"odd", None), (b"B", b"\xff\n"), (b"A", b"2"))


def test_a_run_without_changes_is_the_same() -> None:
    """Nothing is touched where nothing is asked for."""
    assert change_run(RUN, NO_CHANGES) is RUN


def test_arguments_are_exchanged_and_the_program_stays() -> None:
    """argv[0] may be anything, and stays; what is behind it is what was given, which may be nothing."""
    run = replace(RUN, argv=(b"-zsh", b"old", b"older"))
    assert change_run(run, Changes((b"new", b"\xff"))) == replace(run, argv=(b"-zsh", b"new", b"\xff"))
    assert change_run(run, Changes(())).argv == (b"-zsh",)
    assert change_run(replace(RUN, argv=()), Changes((b"x",))).argv == (b"x",)


def test_variables_take_the_place_of_recorded_ones() -> None:
    """A variable is set where it was first, and then once; a new one comes last; None removes all of its name."""
    run = replace(RUN, environ=ENVIRON)

    def environ(*variables: tuple[bytes, bytes | None]) -> object:
        return change_run(run, Changes(variables=variables)).environ

    assert environ((b"A", b"3")) == ((b"A", b"3"), (b"odd", None), (b"B", b"\xff\n"))
    assert environ((b"C", b"")) == (*ENVIRON, (b"C", b""))
    assert environ((b"A", None)) == ((b"odd", None), (b"B", b"\xff\n"))
    assert environ((b"odd", None), (b"none", None)) == ((b"A", b"1"), (b"B", b"\xff\n"), (b"A", b"2"))
    assert environ((b"C", b"1"), (b"C", b"2")) == (*ENVIRON, (b"C", b"2"))


def test_what_is_set_wins_over_what_is_passed_on() -> None:
    """`--env` is more to the point than a pattern."""
    changed = change_run(RUN, Changes(variables=((b"X", b"set"),), passed=((b"X", b"mine"), (b"Y", b"mine"))))
    assert changed.environ[-2:] == ((b"X", b"set"), (b"Y", b"mine"))


def test_options_are_read_as_a_shell_reads_them() -> None:
    """Quotes group and nothing is expanded; bytes that are no UTF-8 arrive."""
    assert read_arguments("""-n '1 2' "a'b" $HOME *""") == (b"-n", b"1 2", b"a'b", b"$HOME", b"*")
    assert read_arguments("  ") == ()
    assert read_arguments("\udcff") == (b"\xff",)
    assert read_variable("A=b=c") == (b"A", b"b=c")
    assert read_variable("A=") == (b"A", b"")
    assert read_variable("A") == (b"A", None)


@pytest.mark.parametrize(
    "read, text, message",
    [
        (read_arguments, "'open", "a quote is not closed"),
        (read_arguments, "end\\", "it ends in a backslash"),
        (read_variable, "=x", "has no name; write NAME=VALUE"),
        (read_variable, "", "has no name"),
    ],
)
def test_what_cannot_be_read_gets_a_sentence(read: object, text: str, message: str) -> None:
    """A slip is told as one."""
    assert callable(read)
    with pytest.raises(UsageError, match=message):
        read(text)


def test_patterns_choose_from_the_callers_variables() -> None:
    """A pattern is a glob over whole names, capitals count, and no value is looked at."""
    environ = {b"AWS_KEY": b"s", b"AWS_ID": b"i", b"aws_x": b"", b"HOME": b"AWS_", b"\xffAWS": b""}
    assert find_passed(["AWS_*"], environ) == ((b"AWS_ID", b"i"), (b"AWS_KEY", b"s"))
    assert find_passed(["H?ME", "\udcff*"], environ) == ((b"HOME", b"AWS_"), (b"\xffAWS", b""))
    assert find_passed([], environ) == ()


def test_arguments_are_for_one_run() -> None:
    """The same arguments cannot be meant for two programs."""
    other = replace(RUN, id="run2")
    refuse_several(Changes((b"x",)), [RUN])
    refuse_several(Changes(variables=((b"A", None),)), [RUN, other])
    with pytest.raises(UsageError, match="--cmdline is for one run, and there are run1, run2: name one"):
        refuse_several(Changes(()), [replace(RUN, id="run1"), other])


def test_changes_are_told_without_values() -> None:
    """What was changed is said; the values of variables, which may be secrets, are not."""
    changes = Changes((b"a b", b"\x1b"), ((b"A", b"s3cret"), (b"B", None)), ((b"TOKEN", b"s3cret"),))
    told = "; ".join(describe_changes(changes))
    assert told == r"arguments: 'a b' $'\x1b'; 1 variable set: A; 1 variable removed: B; 1 variable passed on: TOKEN"
    assert describe_changes(Changes(())) == ("arguments: none",)
    assert describe_changes(NO_CHANGES) == ()
