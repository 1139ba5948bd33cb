"""Replays in which what a program finds by chance is pinned, as far as a target can."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, runtime_checkable

from rtrace.freezing.model import Freeze, choose_beginning
from rtrace.freezing.variables import list_frozen
from rtrace.limits import DEFAULT_LIMITS, Limits
from rtrace.manifest.model import Run
from rtrace.replay.changing import change_environment
from rtrace.replay.grants import NOTHING, Grants
from rtrace.replay.protocol import OWN_STREAMS, Outcome, Streams, Target

BY_VARIABLES = (
    "the hash seed, thread counts and the choice of processor are pinned by environment variables; "
    "the clock, random numbers, addresses, the order of names in folders and the times of files are not"
)


@runtime_checkable
class Freezer(Protocol):
    """What a target may be besides: one that can pin more of a replay than its environment variables."""

    def find_unpinned(self) -> str | None:
        """Return the sentence that says what it cannot pin here; None where it pins all."""

    def run_frozen(
        self,
        run: Run,
        freeze: Freeze,
        *,
        streams: Streams = OWN_STREAMS,
        limits: Limits = DEFAULT_LIMITS,
        grants: Grants = NOTHING,
        told: int | None = None,
    ) -> Outcome:
        """Replay one run as ``Target.run`` does, what it finds by chance pinned; its variables are set already.

        ``told`` is the descriptor of a file to which the names of new files are appended that its programs make.
        """


def freeze_run(run: Run, freeze: Freeze) -> Run:
    """Return a run with the variables of a freeze in its environment."""
    variables = list_frozen(dict(run.environ), freeze, run.architecture)
    return replace(run, environ=change_environment(run.environ, variables.items()))


def choose_freeze(run: Run) -> Freeze:
    """Return the freeze of a run: its clock begins when the run did."""
    return Freeze(choose_beginning(dict(run.environ), run.started))


def start(
    target: Target,
    run: Run,
    freeze: Freeze | None,
    *,
    streams: Streams,
    limits: Limits,
    grants: Grants,
    told: int | None = None,
) -> Outcome:
    """Replay a run, frozen as far as the target can, or as it is. Raises what ``Target.run`` raises."""
    if freeze is None:
        return target.run(run, streams=streams, limits=limits, grants=grants)
    frozen = freeze_run(run, freeze)
    if isinstance(target, Freezer):
        return target.run_frozen(frozen, freeze, streams=streams, limits=limits, grants=grants, told=told)
    return target.run(frozen, streams=streams, limits=limits, grants=grants)


def tell_unpinned(target: Target) -> str | None:
    """Return the sentence that says what a target cannot pin; None where it pins all."""
    return target.find_unpinned() if isinstance(target, Freezer) else BY_VARIABLES
