"""What could be typed next, for the scripts in `rtrace.cli.shells`: a line each of KIND, VALUE and HELP, with tabs.

plain VALUE, path VALUE (a folder's ends with a slash); files, folders, commands: the shell completes these itself.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click
from click.shell_completion import CompletionItem, ShellComplete

from rtrace.cli.terminal.speaking import give
from rtrace.opening import ENDING

if TYPE_CHECKING:
    from rtrace.manifest.model import Run

Matcher: TypeAlias = "Callable[[os.DirEntry[str]], bool]"
KINDS = {"file": "files", "dir": "folders"}
"""What click calls these."""
AUTO = "auto"
"""What `rtrace.replay.registry` calls the choice that is left to rtrace; it takes time to import that."""
_SEPARATORS = ("\t", "\n")


def answer(group: click.Group, shell: str, words: Sequence[str]) -> None:
    """Write what the last word may become."""
    if shell == "bash":
        words = read_bash_words(words)
    *before, current = words or [""]
    option = current[: current.index("=") + 1] if current.startswith("--") and "=" in current else ""
    prefix = "" if shell == "bash" else option  # bash completes behind the sign alone
    for item in ShellComplete(group, {}, "rtrace", "").get_completions(before, current):
        value = item.value if item.type in KINDS else f"{prefix}{item.value}"
        fields = (KINDS.get(item.type, item.type), value, item.help or "")
        if not any(separator in field for field in fields for separator in _SEPARATORS):
            give(os.fsencode("\t".join(fields) + "\n"))


def read_bash_words(words: Sequence[str]) -> list[str]:
    """Return the words that bash hands on as they are typed: in quotes, and `--option=value` in three pieces."""
    read: list[str] = []
    for word in map(unquote, words):
        if read and (word == "=" or read[-1].endswith("=")) and read[-1].startswith("--"):
            read[-1] += word
        else:
            read.append(word)
    return read


def unquote(word: str) -> str:
    """Return a word without the quotes of a shell; the last one may be open still."""
    for end in ("", "'", '"'):
        try:
            return "".join(shlex.split(word + end))
        except ValueError:
            continue
    return word


def complete_bundles(_context: click.Context, _param: click.Parameter, current: str) -> list[CompletionItem]:
    """Return the bundles, and the folders that may hold some; any file where there are no bundles."""
    return find_paths(current, lambda entry: entry.is_file() and entry.name.endswith(ENDING))


def complete_targets(_context: click.Context, _param: click.Parameter, current: str) -> list[CompletionItem]:
    """Return the targets, and the folders that may hold some."""
    return find_paths(current, is_target)


def complete_replayable(_context: click.Context, _param: click.Parameter, current: str) -> list[CompletionItem]:
    """Return targets and bundles, and the folders that may hold some."""
    return find_paths(current, lambda entry: is_target(entry) or entry.name.endswith(ENDING))


def is_target(entry: os.DirEntry[str]) -> bool:
    """Whether a folder is a target."""
    from rtrace.replay.protocol import STATE_FILE

    return entry.is_dir() and os.path.lexists(os.path.join(entry.path, STATE_FILE))


def find_paths(current: str, is_meant: Matcher) -> list[CompletionItem]:
    """Return the paths that begin as typed and are meant, and then folders; if there are none, all files."""
    folder, slash, name = current.rpartition("/")
    meant, folders = [], []
    try:
        with os.scandir(folder + slash or ".") as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                hidden = entry.name.startswith(".") and not name.startswith(".")
                if entry.name.startswith(name) and not hidden:
                    path = f"{folder}{slash}{entry.name}"
                    if is_meant(entry):
                        meant.append(CompletionItem(path, type="path"))
                    elif entry.is_dir():
                        folders.append(CompletionItem(f"{path}/", type="path"))
    except OSError:  # no such folder, or `~`, which the shell knows
        return [CompletionItem(current, type="file")]
    return meant + folders if meant else [CompletionItem(current, type="file")]


def complete_unpackers(_context: click.Context, _param: click.Parameter, current: str) -> list[CompletionItem]:
    """Return the names of the installed unpackers, and the word that leaves the choice to rtrace."""
    from rtrace.replay.registry import list_unpackers

    return begin_with(current, (AUTO, *list_unpackers()))


def complete_formats(_context: click.Context, _param: click.Parameter, current: str) -> list[CompletionItem]:
    """Return the names of the formats that a bundle can be written in."""
    from rtrace.exports.registry import list_exporters

    return begin_with(current, list_exporters())


def complete_runs(context: click.Context, _param: click.Parameter, current: str) -> list[CompletionItem]:
    """Return the names of the runs of the bundle or target that was typed before, without those named already."""
    path = context.params.get("target") or context.params.get("bundle")
    if not isinstance(path, Path):
        return []
    named = set(context.params.get("names") or ())
    return [
        CompletionItem(name, help=words)
        for name, words in list_runs(path)
        if name.startswith(current) and name not in named
    ]


def complete_uploads(context: click.Context, _param: click.Parameter, current: str) -> list[CompletionItem]:
    """Return the names of inputs behind a colon, and files before it. To bash a colon is a word of its own."""
    given = context.params.get("requests") or ()
    if current == ":" or given[-1:] == (":",):
        return begin_with(current.removeprefix(":"), list_names(context, "inputs"))
    before, colon, name = current.rpartition(":")
    if not colon:
        return [CompletionItem(current, type="file")]
    return [CompletionItem(f"{before}:{known}") for known in list_names(context, "inputs") if known.startswith(name)]


def complete_downloads(context: click.Context, _param: click.Parameter, current: str) -> list[CompletionItem]:
    """Return the names of outputs."""
    return begin_with(current, list_names(context, "outputs"))


def complete_exchanged(context: click.Context, param: click.Parameter, current: str) -> list[CompletionItem]:
    """Return the names of inputs or outputs with a sign behind them, and files behind that."""
    _, sign, file = current.partition("=")
    if sign:
        return [CompletionItem(file, type="file")]
    return [CompletionItem(f"{name}=") for name in list_names(context, param.name or "") if name.startswith(current)]


def list_names(context: click.Context, kind: str) -> list[str]:
    """Return the names of the inputs or the outputs of the target or bundle that was typed before."""
    from rtrace.errors import RtraceError
    from rtrace.opening import open_bundle
    from rtrace.operations.exchange.bundles import find_bundle

    path = context.params.get("target")
    if not isinstance(path, Path):
        return []
    try:
        found = path if path.is_file() else find_bundle(path, context.params.get("named"))
        with open_bundle(found) as bundle:
            named = bundle.manifest.inputs if kind == "inputs" else bundle.manifest.outputs
            return [one.name for one in named]
    except (RtraceError, OSError):
        return []


def list_runs(path: Path) -> list[tuple[str, str]]:
    """Return the names of the runs of a bundle or a target, with their commands."""
    from rtrace.errors import RtraceError
    from rtrace.opening import open_bundle
    from rtrace.printable import printable
    from rtrace.replay.registry import open_target

    try:
        if path.is_file():
            with open_bundle(path) as bundle:
                runs: Iterable[Run] = bundle.manifest.runs
        else:
            runs = open_target(path).runs()
    except (RtraceError, OSError):
        return []
    return [(run.id, " ".join(map(printable, run.argv))) for run in runs]


def complete_command(context: click.Context, _param: click.Parameter, _current: str) -> list[CompletionItem]:
    """Let the shell name commands, and behind one its files."""
    return [CompletionItem("", type="file" if context.params.get("arguments") else "commands")]


def begin_with(current: str, names: Iterable[str]) -> list[CompletionItem]:
    """Return the names that begin as typed."""
    return [CompletionItem(name) for name in names if name.startswith(current)]
