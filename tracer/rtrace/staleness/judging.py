"""What each run of a trace found, against this machine as it is now.

The last run that wrote a path says how it has to be; a run before that may also find it as it once did, and a run after
it has to find it as it did. With w for the last writer:

    a run before w     as w left it, or as the run found it
    w itself           as w left it (an output); what w removed may be gone, or back as it was
    a run after w      as the run found it
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

from rtrace.describe.internals import Internals
from rtrace.files.hierarchy import is_provided
from rtrace.staleness.comparing import compare
from rtrace.staleness.looking import NOTHING
from rtrace.staleness.model import DOUBTS, Reason, State
from rtrace.trace.schema import KEPT_INPUT, Use
from rtrace.trace.treatment import Treatment, classify

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

    from rtrace.staleness.looking import Machine
    from rtrace.staleness.model import Kind
    from rtrace.trace.reading.found import Found, Left, PathHistory

MADE_ANEW = frozenset({b"/etc/ld.so.cache"})
"""Indexes that every installation makes anew; what is found by them is judged by itself."""
_COMPILED = b"/__pycache__/"
"""What Python compiles, and compiles again when the source is another: the source is judged."""
_OWN = (b".rtrace",)
_BUNDLE = b".rpz"
_BELOW = b"/x"


class Contents(Protocol):
    """Knows the digests of what the runs found."""

    def find_digest(self, run: int, path: bytes, found: State) -> str | None:
        """Return the SHA-256 of what a run found at a path; None where nobody knows it."""


class Judging:
    """Takes the paths of a trace one by one, and gathers reasons by run.

    ``runs`` are the numbers of the runs that count; ``listed`` are the folders that each listed, by path. ``is_output``
    says of a path that a run's author means it; ``is_ignored`` what is left out.
    """

    def __init__(
        self,
        machine: Machine,
        contents: Contents,
        *,
        runs: Container[int],
        listed: Mapping[bytes, Container[int]],
        is_output: Callable[[bytes], bool],
        is_ignored: Callable[[bytes], bool],
        is_moved: Callable[[bytes], bool],
    ) -> None:
        self.paths = 0
        self.reasons: dict[int, list[Reason]] = defaultdict(list)
        self._machine = machine
        self._contents = contents
        self._runs = runs
        self._listed = listed
        self._is_output = is_output
        self._is_ignored = is_ignored
        self._is_moved = is_moved
        self._names: dict[bytes, dict[int, set[bytes]]] = {}
        self._written: dict[bytes, set[bytes]] = defaultdict(set)
        self._internals = Internals(())

    def take(self, history: PathHistory) -> None:
        """Judge a path for every run that met it."""
        path = history.path
        left = {run: after for run, after in history.left.items() if run in self._runs}
        self._note_names(history, left)
        if self._is_apart(path):
            return
        self.paths += 1
        now = self._machine.look(path)
        last = max(left, default=None)
        for found in history.found:
            if found.run not in self._runs:
                continue
            treatment = self._classify(path, found, left.get(found.run))
            if found.run == last:
                kind = self._judge_written(path, now, found, left[last], treatment)
            else:
                kind = self._judge_found(path, now, found, treatment, left)
                if (
                    kind is not None
                    and last is not None
                    and found.run < last
                    and self._is_as_left(path, now, left[last])
                ):
                    kind = None
            if kind is not None:
                self.reasons[found.run].append(_name_reason(kind, path, now, treatment))

    def finish(self) -> None:
        """Judge the folders that were listed: what is in one now that was not."""
        for folder, runs in self._names.items():
            now = self._machine.list_names(folder)
            if now is None:  # a folder that is gone is a reason of its own
                continue
            written = self._written[folder]
            for run, known in runs.items():
                new = sorted(name for name in now if name not in known and name not in written)
                self.reasons[run] += [
                    Reason("appeared", path, "in a folder that it listed")
                    for path in (folder.rstrip(b"/") + b"/" + name for name in new)
                    if not self._is_apart(path) and not self._is_own(path)
                ]

    def _note_names(self, history: PathHistory, left: Mapping[int, Left]) -> None:
        """Note the names of what lies in folders that were listed."""
        if history.path in self._listed and not self._is_apart(history.path):
            listed = self._listed[history.path]
            runs = [one.run for one in history.found if one.run in listed and one.type == "directory"]
            for run in runs:
                if run in self._runs:
                    self._names.setdefault(history.path, {}).setdefault(run, set())
        folder, _, name = history.path.rpartition(b"/")
        folder = folder or b"/"
        if folder not in self._listed:
            return
        names = self._names.setdefault(folder, {})
        for found in history.found:
            if found.run in self._listed[folder] and found.run in self._runs:
                names.setdefault(found.run, set()).add(name)
        if left:
            self._written[folder].add(name)

    def _classify(self, path: bytes, found: Found, left: Left | None) -> Treatment:
        is_left = None if left is None else left.type is not None
        return classify(found.type, found.uses, left=is_left, moved=self._is_moved(path))

    def _judge_found(
        self, path: bytes, now: State, found: Found, treatment: Treatment, left: Mapping[int, Left]
    ) -> Kind | None:
        """Compare what is there with what a run found that did not write it, or not as the last one."""
        then = State(found.type, found.size, found.mtime_ns, found.ctime_ns, found.target)
        matters = treatment.needs_content or any(use & Use.LOOKUP for use in found.uses)

        def find_digest() -> str | None:
            earlier = [left[run] for run in sorted(left) if run < found.run]
            if earlier and earlier[-1].type == "file" and earlier[-1].size == found.size and earlier[-1].sha256:
                return earlier[-1].sha256
            return self._contents.find_digest(found.run, path, then)

        return compare(self._machine, path, now, then, find_digest if matters else None)

    def _judge_written(self, path: bytes, now: State, found: Found, left: Left, treatment: Treatment) -> Kind | None:
        """Compare what is there with what its last writer left."""
        if self._is_as_left(path, now, left):
            return None
        if left.type is None:
            return None if found.type is None else self._judge_found(path, now, found, treatment, {})
        if self._is_output(path):
            return "output"
        if treatment.needs_content and found.type is not None:
            return self._judge_found(path, now, found, treatment, {})
        return None

    def _is_as_left(self, path: bytes, now: State, left: Left) -> bool:
        then = State(left.type, left.size, left.mtime_ns, None, left.target)
        return compare(self._machine, path, now, then, lambda: left.sha256) is None

    def _is_apart(self, path: bytes) -> bool:
        """Whether a path is not judged: the kernel's, what was kept of pipes, what is made anew, what is ignored."""
        return (
            path in MADE_ANEW
            or _COMPILED in path
            or is_provided(path)
            or path.startswith(KEPT_INPUT + b"/")
            or self._is_ignored(path)
        )

    def _is_own(self, path: bytes) -> bool:
        """Whether a new name is rtrace's, or one of a program's own affairs that no run would take for data."""
        name = path.rpartition(b"/")[2]
        if name.startswith(_OWN) or name.endswith(_BUNDLE):
            return True
        return self._internals.is_sure(path + _BELOW) or name.endswith((b"~", b".swp"))


def _name_reason(kind: Kind, path: bytes, now: State, treatment: Treatment) -> Reason:
    """Return a reason; a program is told as one, and an output with what became of it."""
    if kind == "output":
        return Reason("output", path, "is gone" if now == NOTHING else "was changed")
    if treatment is Treatment.EXECUTED and kind in {"changed", "gone"}:
        return Reason("executable", path, kind)
    return Reason(kind, path)


def spread(
    reasons: Mapping[int, Iterable[Reason]], needs: Mapping[int, Iterable[int]], runs: Iterable[int]
) -> dict[int, list[int]]:
    """Return for each run the stale runs that it needs; ``runs`` come in their order, so that staleness spreads."""
    stale: set[int] = set()
    found: dict[int, list[int]] = {}
    for run in runs:
        found[run] = sorted(stale.intersection(needs.get(run, ())))
        if found[run] or any(reason.kind not in DOUBTS for reason in reasons.get(run, ())):
            stale.add(run)
    return found
