"""What is fuzzed: for each target, how an input is used. Every one returns the sentences with which it was refused."""

import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from fuzz.judging import Crash, judge_error, judged
from fuzz.reprozip_sealing import seal_reprozip
from fuzz.sealing import seal
from rtrace.answers.info import answer_info
from rtrace.bundle import members
from rtrace.bundle.counts import count_entries
from rtrace.bundle.index.dumping import dump_entry
from rtrace.cli import info as info_command
from rtrace.cli import list as list_command
from rtrace.errors import RtraceError
from rtrace.files.removing import remove_below
from rtrace.manifest.reading.load import load
from rtrace.manifest.render import render
from rtrace.opening import open_bundle
from rtrace.operations.audit import audit_bundle
from rtrace.operations.check import check_bundle
from rtrace.reprozip.reading import config
from rtrace.reprozip.reading import reprozip_bundle as reader
from rtrace.reprozip.reading import trace_database as database
from rtrace_unpackers.chroot import UNPACKER

MODULES = (config, database, reader)
"""Imported here, that a fuzzer can follow what they do, though others import them when needed."""
_FAST = Path("/dev/shm")  # noqa: S108 -- a folder of its own is made in it


@dataclass(frozen=True)
class Target:
    """A thing to fuzz: what is done with an input, and whether the input is in the open form of `sections`."""

    use: Callable[[bytes], list[str]]
    sections: bool = False


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield an empty folder, where nothing else may be written."""
    with tempfile.TemporaryDirectory(prefix="rtrace-fuzz-", dir=_FAST if _FAST.is_dir() else None) as name:
        previous, tempfile.tempdir = tempfile.tempdir, name
        try:
            yield Path(name)
        finally:
            tempfile.tempdir = previous


def use_bundle(content: bytes) -> list[str]:
    """Ask a bundle everything that the commands ask, and unpack it."""
    with scratch() as folder, judged(folder):
        path = folder / "x.rpz"
        path.write_bytes(content)
        sentences = [*_refusals(path, _describe), *_refusals(path, _list), *_refusals(path, _audit)]
        checked: list[str | None] = []
        sentences += _refusals(path, lambda bundle: checked.append(check_bundle(bundle).problem))
        if os.listdir(folder) != ["x.rpz"]:
            raise Crash(f"reading left something behind: {os.listdir(folder)}")
        target = folder / "target"
        refused = _refusals(path, lambda bundle: UNPACKER.unpack(bundle, target))
        if sorted(os.listdir(folder)) != (["x.rpz"] if refused else ["target", "x.rpz"]):
            raise Crash(f"unpacking left something behind: {os.listdir(folder)}")
        if not refused and any(problem and not _concerns_no_file(path, problem) for problem in checked):
            raise Crash(f"unpacked, and yet {checked[0]}")
        if not refused:
            _refusals(path, lambda bundle: _compare(bundle, target / "root"))
            _remove(target)
    return sentences + refused


def _remove(target: Path) -> None:
    """Remove an unpacked tree, folders that their owner may not write to included."""
    folder = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    try:
        remove_below(folder)
    finally:
        os.close(folder)
    target.rmdir()


def _concerns_no_file(path: Path, problem: str) -> bool:
    """Whether what is wrong is in a member that unpacking does not need."""
    return members.TRACE in problem or bool(_refusals(path, _read_results))


def _read_results(path: Path) -> None:
    with open_bundle(path) as bundle:
        _ = bundle.results


def _refusals(path: Path, use: Callable[[Path], object]) -> list[str]:
    try:
        use(path)
    except RtraceError as error:
        sentence = judge_error(error)
        if "x.rpz" not in sentence and "target" not in sentence:
            raise Crash(f"names no file: {sentence}") from error
        return [sentence]
    return []


def _describe(path: Path) -> None:
    with open_bundle(path) as bundle:
        for line in info_command.describe(bundle):
            line.encode()
        json.dumps(answer_info(bundle, count_entries(bundle.iterate_entries()), []))


def _list(path: Path) -> None:
    with open_bundle(path) as bundle:
        for entry in bundle.entries:
            "\t".join(list_command.describe(entry, human=True)).encode()
            dump_entry(entry, entry.size, entry.sha256, entry.offset).encode()


def _audit(path: Path) -> None:
    for finding in audit_bundle(path):
        f"{finding.place}: {finding.what}".encode()


def _compare(path: Path, root: Path) -> None:
    """Find every entry where it belongs."""
    with open_bundle(path) as bundle:
        for entry in bundle.entries:
            place = os.fsencode(root) + entry.path
            if not os.path.lexists(place):
                raise Crash(f"was not unpacked: {entry.path!r}")
            if not os.path.realpath(os.path.dirname(place)).startswith(os.path.realpath(os.fsencode(root))):
                raise Crash(f"was unpacked elsewhere: {entry.path!r}")


def use_manifest(content: bytes) -> list[str]:
    """Read a manifest; what is read has to be the same after it was written and read again."""
    with scratch() as folder, judged(folder):
        try:
            manifest = load(content, "x.rpz: METADATA/manifest.yml")
        except RtraceError as error:
            return [judge_error(error)]
        again = load(render(manifest))
        if replace(again, rtrace=manifest.rtrace) != manifest:
            raise Crash("the manifest is another one when it was written and read again")
    return []


def use_config(content: bytes) -> list[str]:
    """Read a configuration of ReproZip."""
    with scratch() as folder, judged(folder):
        try:
            config.load_config(content, "x.rpz: METADATA/config.yml")
        except RtraceError as error:
            return [judge_error(error)]
    return []


def use_database(content: bytes) -> list[str]:
    """Read a trace database of ReproZip; the errors are those that its caller tells as a notice."""
    with scratch() as folder, judged(folder):
        path = folder / "trace.sqlite3"
        path.write_bytes(content)
        try:
            database.read_database(path, 2)
        except (sqlite3.Error, OverflowError, ValueError) as error:
            return [str(error)]
    return []


TARGETS = {
    "bundle": Target(lambda content: use_bundle(seal(content)), sections=True),
    "raw": Target(use_bundle),
    "manifest": Target(use_manifest),
    "reprozip": Target(lambda content: use_bundle(seal_reprozip(content)), sections=True),
    "config": Target(use_config),
    "database": Target(use_database),
}
