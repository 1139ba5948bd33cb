"""`rtrace download`: outputs, and other files of a target, copied out of it."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from rtrace.bundle.entry import FileType
from rtrace.errors import TargetError, UsageError
from rtrace.files.incomplete import Incomplete
from rtrace.interrupts import held
from rtrace.opening import open_bundle
from rtrace.operations.exchange.bundles import find_bundle
from rtrace.operations.exchange.contents import STANDARD_INPUT
from rtrace.operations.exchange.names import (
    File,
    explain_unknown,
    find_named,
    iterate_splits,
    list_outputs,
    tell_name,
)
from rtrace.operations.exchange.states import find_places, list_unmade
from rtrace.printable import name_some, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rtrace.bundle.protocol import OpenBundle
    from rtrace.replay.protocol import Target

STANDARD_OUTPUT = Path(STANDARD_INPUT)
"""`-`, in the place of a file."""
_NO_NAMES = {"", ".", ".."}


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that was copied out of a target: its name, where it was, where it is (None: standard output), its size."""

    name: str
    path: bytes
    to: Path | None
    size: int


@dataclass(frozen=True, slots=True)
class Fetching:
    """A file of a target, and the file that it is to be copied to; `-` is standard output."""

    name: str
    path: bytes
    to: Path


def fetch_outputs(
    target: Target,
    wanted: Sequence[tuple[str, Path]],
    everything: Path | None,
    *,
    bundle: Path | None = None,
    replace: bool = False,
    give: Callable[[bytes], None] | None = None,
    warn: Callable[[str], None] = lambda _sentence: None,
) -> tuple[Fetched, ...]:
    """Copy named outputs (NAME, FILE) out of a target, and with `everything` all of them into a folder.

    Each file is written whole, by a rename; an output with a pattern may be several, and then FILE is a folder.
    ``bundle`` is what the target was made of, by default what is kept in it. A file that exists is replaced only with
    ``replace``; ``give`` takes what goes to standard output (FILE is `-`); ``warn`` is told of outputs that nobody has
    made. Raises UsageError, BundleError and TargetError, before anything is written if it can be known then.
    """
    with open_bundle(bundle or find_bundle(target.path, None)) as opened:
        files = [(find_fetchable(opened, name), to) for name, to in wanted]
        plan = list(plan_named(target, opened, files))
        if everything is not None:
            plan += plan_everything(target, opened, everything, warn)
    refuse_existing(plan, replace=replace)
    if everything is not None:
        make_folder(everything)
    return tuple([fetch_one(target, one, replace=replace, give=give) for one in plan])


def parse_wanted(bundle: OpenBundle, text: str) -> tuple[str, Path]:
    """Read ``NAME:FILE``, ``NAME:`` or ``NAME:-`` for standard output, or ``NAME`` for a file of its own name.

    Raises UsageError, also for what can be read in two ways.
    """
    readings = []
    whole = find_named(bundle, text, first="output")
    if whole is not None:
        readings.append((text, name_after(whole)))
    for name, to in iterate_splits(text):
        if is_fetchable(bundle, name):
            readings.append((name, Path(to or STANDARD_INPUT)))
    shown = printable(os.fsencode(text))
    if len(readings) > 1:
        ways = " or ".join(f"{name} to {to}" for name, to in readings)
        raise UsageError(f"{shown} can be read as {ways}; name the file in the target by its path (/PATH:FILE)")
    if not readings and text.startswith("/") and ":" not in text:
        return text, Path(os.path.basename(text))
    if not readings:
        raise UsageError(explain_unknown(bundle, text.partition(":")[0], first="output"))
    return readings[0]


def name_after(file: File) -> Path:
    """Return the name that a file gets when none is given: its own, in this folder."""
    return Path(".") if file.pattern is not None else Path(os.fsdecode(file.path.rpartition(b"/")[2]))


def is_fetchable(bundle: OpenBundle, name: str) -> bool:
    """Whether something has this name, or may: any absolute path may be one of a file that a run wrote."""
    return name.startswith("/") or find_named(bundle, name, first="output") is not None


def find_fetchable(bundle: OpenBundle, name: str) -> File:
    """Return what has this name, or may be at this path. Raises UsageError."""
    found = find_named(bundle, name, first="output")
    if found is not None:
        return found
    if name.startswith("/"):
        return File(name, "file", os.fsencode(name))
    raise UsageError(explain_unknown(bundle, name, first="output"))


def plan_named(target: Target, bundle: OpenBundle, files: Sequence[tuple[File, Path]]) -> Iterable[Fetching]:
    """Yield what is copied where. Raises TargetError for a pattern that nothing fits, and for what no run has made."""
    unmade = list_unmade(target, bundle, [file.path for file, _ in files if file.pattern is None])
    for file, to in files:
        if file.pattern is None:
            if file.path in unmade:
                raise TargetError(
                    f"{target.path} has only the size of {tell_name(file.name, file.path)}, for so had the bundle: "
                    "replay a run that makes it"
                )
            yield Fetching(file.name, file.path, to / os.fsdecode(name_of(file.path)) if to.is_dir() else to)
            continue
        paths = list_matching(target, bundle, file)
        if not paths:
            raise TargetError(
                f"no file in {target.path} fits {file.name} ({printable(file.pattern)}): replay a run that makes it"
            )
        if len(paths) == 1 and not to.is_dir():
            yield Fetching(file.name, paths[0], to)
            continue
        if to == STANDARD_OUTPUT:
            names = name_some([printable(path) for path in paths])
            raise UsageError(f"{file.name} is {len(paths)} files ({names}); name a folder for them")
        yield from (Fetching(file.name, path, to / relative) for path, relative in spread(paths))


def name_of(path: bytes) -> bytes:
    """Return the last name of a path."""
    return path.rpartition(b"/")[2]


def list_matching(target: Target, bundle: OpenBundle, file: File) -> list[bytes]:
    """Return the paths of the files in a target that fit a pattern."""
    places = [path for _, path, _ in find_places(target, bundle, [file])]
    found = target.inspect(dict.fromkeys(places), ()).found
    unmade = list_unmade(target, bundle, places)
    return [path for path in places if found[path].type is FileType.REGULAR and path not in unmade]


def spread(paths: Sequence[bytes]) -> Iterable[tuple[bytes, Path]]:
    """Yield paths with names for them in one folder: their last names, or as much of them as tells them apart."""
    if len({name_of(path) for path in paths}) == len(paths):
        yield from ((path, Path(os.fsdecode(name_of(path)))) for path in paths)
        return
    common = os.path.commonpath(paths)
    yield from ((path, Path(os.fsdecode(os.path.relpath(path, common)))) for path in paths)


def plan_everything(
    target: Target, bundle: OpenBundle, folder: Path, warn: Callable[[str], None]
) -> Iterable[Fetching]:
    """Yield all outputs, each with a file of its name in a folder; of what is not there is warned."""
    outputs = list_outputs(bundle)
    for output in outputs:
        if "/" in output.name or output.name in _NO_NAMES or "\0" in output.name:
            raise UsageError(
                f"the output {printable(os.fsencode(output.name))} has no name for a file; download it by itself"
            )
    paths = [one.path for one in outputs if one.pattern is None]
    found = target.inspect(dict.fromkeys(paths), ()).found
    unmade = list_unmade(target, bundle, paths)
    for output in outputs:
        if output.pattern is not None:
            paths = list_matching(target, bundle, output)
            if paths:
                yield from (Fetching(output.name, path, folder / output.name / name) for path, name in spread(paths))
                continue
        elif found[output.path].type is not None and output.path not in unmade:
            yield Fetching(output.name, output.path, folder / output.name)
            continue
        warn(f"{output.name} is not there: no run has made {printable(output.pattern or output.path)}")


def refuse_existing(plan: Sequence[Fetching], *, replace: bool) -> None:
    """Raise UsageError for files that exist, or would be written twice, before any is written."""
    seen: dict[Path, str] = {}
    for one in plan:
        if one.to == STANDARD_OUTPUT:
            continue
        if one.to in seen:
            raise UsageError(f"{seen[one.to]} and {one.name} would both be {one.to}; name another file for one of them")
        seen[one.to] = one.name
        if os.path.lexists(one.to) and not (replace and one.to.is_file() and not one.to.is_symlink()):
            is_regular = one.to.is_file() and not one.to.is_symlink()
            advice = "replace it with --force, or name another file" if is_regular else "name another file"
            raise UsageError(f"{one.to} exists already; {advice}: {printable(os.fsencode(one.name))}:FILE")


def make_folder(folder: Path) -> None:
    """Make a folder for downloaded files, if it is not there. Raises TargetError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TargetError(f"cannot make {folder}: {error.strerror}; name another folder") from None


def fetch_one(target: Target, one: Fetching, *, replace: bool, give: Callable[[bytes], None] | None) -> Fetched:
    """Copy a file out of a target, whole or not at all. Raises TargetError and BundleError."""
    if one.to == STANDARD_OUTPUT:
        counter = Giver(give or (lambda _part: None))
        fetch_into(target, one, cast("BinaryIO", counter))
        return Fetched(one.name, one.path, None, counter.size)
    make_folder(one.to.parent)
    with held(lambda: Incomplete(one.to, replace=replace)) as incomplete:
        whole = incomplete.folder / "whole"
        with whole.open("xb") as file:
            fetch_into(target, one, file)
            file.flush()
            size = os.fstat(file.fileno()).st_size
        incomplete.give_name(whole)
    return Fetched(one.name, one.path, one.to, size)


def fetch_into(target: Target, one: Fetching, file: BinaryIO) -> None:
    """Copy a file out of a target into an open one. Raises TargetError where there is none."""
    try:
        target.fetch(one.path, file)
    except FileNotFoundError:
        raise TargetError(f"{target.path} has no {tell_name(one.name, one.path)}: replay a run that makes it") from None


class Giver(io.RawIOBase):
    """A file of which all that is written goes to a function."""

    def __init__(self, give: Callable[[bytes], None]) -> None:
        self._give = give
        self.size = 0

    def writable(self) -> bool:
        """Whether it can be written: yes."""
        return True

    def write(self, part: object) -> int:
        """Hand a part on."""
        content = bytes(part)  # type: ignore[call-overload]
        self.size += len(content)
        self._give(content)
        return len(content)
