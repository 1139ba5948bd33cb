"""Notices of what came or went through a run's descriptors and is not in the trace."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from rtrace.capture.books.notices import NoticeBook
from rtrace.capture.relay.keeping import Kept
from rtrace.capture.relay.streams import Inlet, Kind, Outlet, Stream
from rtrace.printable import format_size, printable
from rtrace.trace.schema import Use

INPUT = "input"
"""The kind of a notice of input that a replay lacks: the bundle is incomplete without it."""
UNKNOWN = "descriptor"
"""The kind of a notice of something that the run may have read: nobody saw whether it did."""
WAITING = "fifo"
"""The kind of a notice of a FIFO at which a replay may wait for ever: the bundle lacks its other end."""
WORDS = ("standard input", "standard output", "standard error")
KINDS = {
    Kind.PIPE: "a pipe",
    Kind.SOCKET: "a socket",
    Kind.TERMINAL: "a terminal",
    Kind.FILE: "a file without a name",
    Kind.FOLDER: "a folder that has been removed",
    Kind.OTHER: "neither file nor pipe",
}
GIVE_FILE = "give the run a file to read"
EMPTY_FILE = "a replay finds an empty file there"
WAITS = "a replay may wait there, until --timeout or `rtrace verify` ends it"
NULL_DEVICE = "a replay finds the null device there"


def name_descriptor(descriptor: int) -> str:
    """Return what a descriptor is called."""
    return WORDS[descriptor] if descriptor < len(WORDS) else f"descriptor {descriptor}"


def describe(stream: Stream) -> str:
    """Return in words what a descriptor leads to."""
    if stream.kind in {Kind.DEVICE, Kind.NULL}:
        return f"the device {printable(stream.path or b'')}"
    return KINDS.get(stream.kind, "neither file nor pipe")


def tell_of_input(notices: NoticeBook, stdin: Stream, *, path: bytes | None, kept: bool) -> None:
    """Tell of standard input that a replay cannot be given. What a person typed, a person can type again."""
    if kept or path is not None or stdin.kind in {Kind.TERMINAL, Kind.NULL, Kind.CLOSED}:
        return
    what = f"standard input is {describe(stdin)}, and what came from it was not kept"
    notices.add(UNKNOWN, what, f"{GIVE_FILE} (`rtrace trace COMMAND < FILE`)")


def tell_of_output(notices: NoticeBook, outputs: Iterable[Stream]) -> None:
    """Tell of output that could not be kept without the program noticing."""
    for stream in outputs:
        if stream.kind is Kind.SOCKET:
            notices.add(
                "stream",
                f"{WORDS[stream.descriptor]} is a socket, and what was written to it was not kept",
                "send it to a file or through `| cat` to have it compared",
            )


def tell_of_others(notices: NoticeBook, lost: Iterable[Stream]) -> None:
    """Tell of the other descriptors that a replay cannot be given, one sentence for each kind."""
    groups: dict[tuple[str, str, bool], list[int]] = {}
    for stream in lost:
        groups.setdefault((describe(stream), stream.access, stream.reads), []).append(stream.descriptor)
    for (what, _, reads), descriptors in groups.items():
        several = len(descriptors) > 1
        names = ", ".join(map(str, descriptors))
        begun = f"descriptor{'s' if several else ''} {names} of the run {'are each' if several else 'is'} {what}"
        if reads:
            notices.add(UNKNOWN, f"{begun}: what came from there was not kept", f"{NULL_DEVICE}; {GIVE_FILE}")
        else:
            notices.add("stream", f"{begun}: what was written there was not kept", f"{NULL_DEVICE}; write to a file")


def tell_of_outlet(notices: NoticeBook, outlet: Outlet, kept: Kept | None) -> None:
    """Tell of what the run wrote to a pipe that is no standard stream, which is not compared."""
    if min(outlet.descriptors) >= len(WORDS) and (kept is None or kept.size):
        size = "what was written there" if kept is None else f"the {format_size(kept.size)} that the run wrote there"
        what = f"{name_descriptor(outlet.descriptors[0])} of the run is a pipe, and {size} will not be compared"
        notices.add("stream", what, f"{NULL_DEVICE}; write to a file")


def tell_of_rest(notices: NoticeBook, inlet: Inlet, kept: Kept | None) -> None:
    """Tell when the rest of what was read from a pipe is not kept, or not known."""
    name = name_descriptor(inlet.descriptors[0])
    if kept is None:
        notices.add(INPUT, f"{name} is a pipe, and what came from it was not kept: its relay was ended", GIVE_FILE)
    elif kept.kept < kept.size:
        what = f"{name} brought {format_size(kept.size)}, and {format_size(kept.kept)} of it were kept (--keep)"
        notices.add(INPUT, what, f"trace again with --keep {(kept.size >> 20) + 1}M, or {GIVE_FILE}")


def tell_of_fifos(connection: sqlite3.Connection, run: int, notices: NoticeBook) -> None:
    """Tell of the FIFOs that the run had only one end of. Call this when all uses are written."""
    marks = ", ".join("?" * len(notices.fifos))
    ends = tuple(map(int, (Use.READ, Use.WRITE | Use.TRUNCATE, Use.CREATE)))
    rows = connection.execute(
        "SELECT paths.path, max(use & ?), max(use & ?), max(use & ?), min(use & ? != 0 OR use & ? = 0)"  # noqa: S608
        " FROM paths JOIN uses ON uses.path = paths.id"
        f" WHERE run = ? AND paths.path IN ({marks}) GROUP BY paths.path ORDER BY paths.path",
        (*ends, ends[1], ends[0], run, *notices.fifos),
    )
    for path, reads, writes, made, always_writes in rows.fetchall():
        name = printable(path)
        if reads and writes:
            if always_writes and not made and notices.fifos[path]:
                what = f"the run opened the FIFO {name}, which was there before, to read and to write at once"
                advice = f"what a program outside of the run put there was not kept, and {WAITS}; {GIVE_FILE}"
                notices.add(WAITING, what, advice)
        elif made:
            tell_of_own_fifo(notices, name, reads=bool(reads), waits=notices.fifos[path])
        elif reads:
            what = f"the run read from the FIFO {name}, which a program outside of it filled"
            notices.add(INPUT, what, f"{EMPTY_FILE}; start that program in the run, or {GIVE_FILE}")
        elif writes:
            what = f"the run wrote to the FIFO {name}, which a program outside of it read"
            notices.add("stream", what, f"{EMPTY_FILE}; start that program in the run, or write to a file")


def tell_of_own_fifo(notices: NoticeBook, name: str, *, reads: bool, waits: bool) -> None:
    """Tell of a FIFO that the run itself made, and had only one end of."""
    if waits:
        verb = "filled" if reads else "read"
        what = f"the run made the FIFO {name}, which a program outside of it {verb}"
        notices.add(WAITING, what, f"{WAITS}; start that program in the run")
    elif reads:
        what = f"the run made the FIFO {name}, and read from it, although no program of the run wrote to it"
        notices.add("stream", what, "if another program wrote there, start it in the run")
