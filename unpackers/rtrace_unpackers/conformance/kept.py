"""Checks on what is said of a target's files: by `inspect` and `stamp`."""

from __future__ import annotations

import hashlib

from rtrace.bundle.entry import FileType, Result
from rtrace.replay.protocol import Stamper
from rtrace_unpackers.conformance.bench import Bench
from rtrace_unpackers.conformance.bundles import BIG, INPUT
from rtrace_unpackers.conformance.model import CannotTellError, Checks, expect, expect_same

KEPT = Checks()


def describe(found: Result) -> tuple[object, ...]:
    """Return what a check looks at of a file."""
    return (found.type, found.mode, found.size, found.sha256, found.target)


def digest(content: bytes) -> str:
    """Return a SHA-256 as bundles have it."""
    return hashlib.sha256(content).hexdigest()


@KEPT.add("inspect", "it tells type, permissions, size, digest and target of what is at a path, and what is not there")
def check_inspect(bench: Bench) -> None:
    """Look at files of every kind."""
    wanted: dict[bytes, tuple[object, ...]] = {
        b"/work/input": (FileType.REGULAR, 0o644, len(INPUT), digest(INPUT), None),
        b"/work/closed": (FileType.REGULAR, 0o400, 18, digest(b"nobody reads this\n"), None),
        b"/work/big": (FileType.REGULAR, 0o644, len(BIG), digest(BIG), None),
        b"/work/folder": (FileType.DIRECTORY, 0o755, 0, None, None),
        b"/work/link": (FileType.SYMLINK, 0o777, 0, None, b"folder"),
        b"/work/fifo": (FileType.FIFO, 0o644, 0, None, None),
        b"/work/absent": (None, 0, 0, None, None),
    }
    snapshot = bench.target.inspect(tuple(wanted), bench.entries)
    for path, description in wanted.items():
        expect_same(path.decode(), describe(snapshot.found[path]), description)


@KEPT.add("inspect-links", "it follows no symlink: what is behind one is not there")
def check_inspect_links(bench: Bench) -> None:
    """Look behind one."""
    paths = (b"/work/link/inside", b"/work/absolute")
    found = bench.target.inspect(paths, bench.entries).found
    expect_same("what is there", [found[path].type for path in paths], [None, FileType.SYMLINK])


@KEPT.add("inspect-sizes", "where sizes are given with the paths, a file is hashed only when it has its size")
def check_inspect_sizes(bench: Bench) -> None:
    """Give the right size, a wrong one and None."""
    sizes = {b"/work/input": len(INPUT), b"/work/plain": 1, b"/work/big": None}
    found = bench.target.inspect(sizes, bench.entries).found
    expect_same("the digests", [found[path].sha256 for path in sizes], [digest(INPUT), None, None])
    expect_same("a size", found[b"/work/big"].size, len(BIG))


@KEPT.add("inspect-extra", "what a run made is told, whatever its name, and nothing that a replay provides")
def check_inspect_extra(bench: Bench) -> None:
    """Make files with odd names, and use what every program uses."""
    with bench.fresh() as target:
        names = (b"made", b"odd\n\xff\x1b[31m", b"--", b"'\"$")
        script = b"echo x >/dev/null; cat /proc/self/status >/dev/null; printf x >made; printf x >--; "
        script += b'printf x >"$(printf \'odd\\n\\377\\033[31m\')"; printf x >"\'\\"\\$"; printf new >input'
        bench.replay(script, target=target)
        snapshot = target.inspect((b"/work/input",), bench.entries)
        extra = {path for path in snapshot.extra if path.startswith(b"/work/")}
        expect_same("what was made", extra, {b"/work/" + name for name in names})
        others = {path for path in snapshot.extra if path.startswith((b"/dev/", b"/proc/", b"/sys/"))}
        expect_same("what was not made", (others, snapshot.more), (set(), 0))
        expect_same("what was changed", snapshot.found[b"/work/input"].sha256, digest(b"new"))


@KEPT.add("stamp", "the stamp of a file changes when it is written with what it had, and others do not")
def check_stamp(bench: Bench) -> None:
    """Write one of two anew."""
    target = bench.target
    if not isinstance(target, Stamper):
        raise CannotTellError("it tells no stamps")
    paths = (b"/work/plain", b"/work/input")
    before = target.stamp(paths)
    bench.ask(b"printf 'no program\\n' >plain")
    after = target.stamp(paths)
    expect(before.get(paths[0]) != after.get(paths[0]), "it is the same for a file that was written")
    expect(before.get(paths[1]) == after.get(paths[1]), "it changed for a file that was not written")
