"""A sweep whose values, numbers, outputs and notes are as hostile as they get, without any replay."""

from dataclasses import replace
from pathlib import Path

from rtrace.elsewhere.sources import NO_SOURCES
from rtrace.limits import DEFAULT_LIMITS
from rtrace.operations.replay import NO_EXCHANGE
from rtrace.operations.sweeping.plan import Settings, Sweep
from rtrace.operations.sweeping.sweep import Swept
from rtrace.replay.changing import NO_CHANGES
from rtrace.replay.grants import NOTHING
from rtrace.sweep.axes import Axis
from rtrace.sweep.combinations import make_combinations
from rtrace.sweep.numbers import Number
from rtrace.sweep.rows import Made, Row, State
from rtrace.sweep.table import Line

DIGEST = "0" * 64
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; alert(1) //",
    "{{ 7 * 7 }}",
    "\x1b[31m\u202e\udcff\n",
    "x" * 5000,
)
STATES: tuple[State, ...] = ("done", "failed", "killed", "limit", "error", "lost")


def make_hostile_sweep() -> tuple[Sweep, Swept]:
    """Return a sweep with a row for each hostile value, in each of which all else is hostile as well."""
    settings = Settings(
        Path("b"), (), "auto", NO_SOURCES, DEFAULT_LIMITS, NOTHING, NO_CHANGES, NO_EXCHANGE, asked=(), most=100
    )
    axes = (Axis("env", HOSTILE[0], HOSTILE, HOSTILE[0]),)
    combinations = make_combinations(axes)
    sweep = Sweep(Path(f"{HOSTILE[1]}.rpz"), DIGEST, "auto", settings, axes, combinations, ("o",), DIGEST)
    good = Row(DIGEST, "done", exit_status=0, seconds=61.5, memory=1 << 30)
    rows = [
        replace(
            good,
            state=state,
            numbers=(Number("stdout", value[:80], "1"), Number(value, "score", "-2.5")),
            outputs=(Made(value, value, 5, f"{number}" * 64), Made("o", "o", 5, DIGEST)),
            notes=(value,),
        )
        for number, (state, value) in enumerate(zip(STATES, HOSTILE, strict=True))
    ]
    return sweep, Swept(tuple(Line(one, row) for one, row in zip(combinations, rows, strict=True)), 0)


def make_long_sweep(number: int) -> tuple[Sweep, Swept]:
    """Return a sweep of so many combinations, all done, with an output that is another one every time but once."""
    sweep, _ = make_hostile_sweep()
    axes = (Axis("arg", "--seed", tuple(map(str, range(number))), "seed"),)
    combinations = make_combinations(axes, number)
    row = Row(DIGEST, "done", exit_status=0, seconds=1.0, numbers=(Number("stdout", "accuracy", "0.930"),))
    lines = [
        Line(one, replace(row, outputs=(Made("o", "o", 5, f"{max(one.number, 1):064x}"),))) for one in combinations
    ]
    return replace(sweep, axes=axes, combinations=combinations), Swept(tuple(lines), 0)
