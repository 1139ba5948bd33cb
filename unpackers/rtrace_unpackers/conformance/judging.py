"""The checks, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Collection

from rtrace.errors import RtraceError, TargetError, UsageError
from rtrace.printable import suggest
from rtrace.replay.protocol import Candidate, Unpacker
from rtrace_unpackers.conformance.bench import Bench, made_folder
from rtrace_unpackers.conformance.exchanged import EXCHANGED
from rtrace_unpackers.conformance.kept import KEPT
from rtrace_unpackers.conformance.made import MADE
from rtrace_unpackers.conformance.model import BrokenPromiseError, CannotTellError, Check, Judged
from rtrace_unpackers.conformance.started import STARTED

CHECKS = (*MADE, *STARTED, *KEPT, *EXCHANGED)


def choose(names: Collection[str]) -> tuple[Check, ...]:
    """Return the checks of these names, or all. Raises UsageError for a name that none has."""
    known = {check.name: check for check in CHECKS}
    for name in names:
        if name not in known:
            raise UsageError(f"there is no check {name!r}{suggest(name, known) or '; --list shows them'}")
    return tuple(check for check in CHECKS if not names or check.name in names)


def judge(unpacker: Unpacker, checks: Collection[Check], tell: Callable[[Judged], None]) -> tuple[Judged, ...]:
    """Check an unpacker, and tell of each check as it ends. Raises TargetError where it can replay nothing here."""
    problem = unpacker.find_problem() if isinstance(unpacker, Candidate) else None
    if problem is not None:
        raise TargetError(f"the unpacker {unpacker.name} cannot replay here, so nothing was checked: {problem}")
    found = []
    with made_folder() as folder:
        bench = Bench(unpacker, folder)
        bench.make_sample()
        try:
            for check in checks:
                judged = judge_one(check, bench)
                tell(judged)
                found.append(judged)
        finally:
            bench.close()
    return tuple(found)


def judge_one(check: Check, bench: Bench) -> Judged:
    """Return how one check ends. Whatever a stranger's unpacker raises is a broken promise."""
    try:
        check.work(bench)
    except CannotTellError as error:
        return Judged(check, "skipped", str(error))
    except BrokenPromiseError as error:
        return Judged(check, "FAILED", str(error))
    except TargetError as error:
        return Judged(check, "skipped" if check.refusable else "FAILED", str(error))
    except RtraceError as error:
        return Judged(check, "FAILED", str(error))
    except Exception as error:  # noqa: BLE001 -- the unpacker is the stranger's
        return Judged(check, "FAILED", f"{type(error).__name__}: {error}")
    return Judged(check, "ok")
