"""The version-controlled working trees that a run touched, and what is known of each."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rtrace.path_text import to_bytes
from rtrace.printable import name_some, printable_text

if TYPE_CHECKING:
    from rtrace.record.document import RepositoryFact
    from rtrace.record.facts.version_control.earlier import Earlier

_SIGNS = ((b".git", "git", b"HEAD"), (b".hg", "hg", b"store"), (b".svn", "svn", b"wc.db"))
"""What lies in the root of a working tree, by kind, with what lies in that; else it is somebody's empty folder."""


def find_repositories(paths: Iterable[bytes]) -> list[bytes]:
    """Return the roots of the working trees that hold any of these absolute paths, in order; the nearest of each path.

    Each folder is looked at once, and none is opened.
    """
    known: dict[bytes, bytes | None] = {b"/": b"/" if find_kind(b"/") else None}
    roots = set()
    for path in paths:
        if not path.startswith(b"/"):
            continue
        waiting = []
        folder = os.path.dirname(path)
        while folder not in known:
            waiting.append(folder)
            folder = os.path.dirname(folder)
        root = known[folder]
        for folder in reversed(waiting):
            if find_kind(folder):
                root = folder
            known[folder] = root
        if root is not None:
            roots.add(root)
    return sorted(roots)


def find_kind(folder: bytes) -> str | None:
    """Return what a folder is the working tree of: git, hg or svn."""
    for sign, kind, content in _SIGNS:
        path = os.path.join(folder, sign)
        try:
            mode = os.lstat(path).st_mode
        except OSError:  # ENOENT, in nearly all folders
            continue
        # The `.git` of a submodule, or of a further tree of a repository, is a file.
        if os.path.lexists(os.path.join(path, content)) or (kind == "git" and stat.S_ISREG(mode)):
            return kind
    return None


def read_repositories(
    roots: Iterable[bytes], *, environ: Mapping[str, str], earlier: Earlier, seconds: float = 10.0
) -> list[RepositoryFact]:
    """Return what is known of several working trees; all together take no longer than some seconds."""
    deadline = time.monotonic() + seconds
    return [
        read_repository(root, timeout=max(0.0, deadline - time.monotonic()), environ=environ, earlier=earlier)
        for root in roots
    ]


def read_repository(
    root: bytes,
    *,
    diff_limit: int = 1 << 20,
    timeout: float = 5.0,
    environ: Mapping[str, str] | None = None,
    earlier: Earlier | None = None,
) -> RepositoryFact:
    """Return what is known of a working tree; nothing in it is started, fetched or changed.

    ``earlier`` are files that a run has changed, by absolute paths, each with where the content lies that it had before
    the run, or None where there was no such file. The changes that are told are those from before the run then; what
    Mercurial and Subversion tell is from after it, and the record says so.

    What takes longer than ``timeout`` seconds, or is longer than the limit, is said in `problem`. Of the environment
    nothing but PATH counts, by default our own.
    """
    from rtrace.record.facts.version_control.model import Limits, add_problem

    kind = find_kind(root)
    limits = Limits(diff_limit, timeout)
    environ = os.environ if environ is None else environ
    if kind == "hg":
        from rtrace.record.facts.version_control.mercurial import read_mercurial as read
    elif kind == "svn":
        from rtrace.record.facts.version_control.subversion import read_subversion as read
    else:
        from rtrace.record.facts.version_control.git import read_git

        return read_git(root, limits, environ, earlier or {})
    fact = read(root, limits, environ)
    own = [file["path"] for file in fact["changed"] if os.path.join(root, to_bytes(file["path"])) in (earlier or {})]
    if own:
        add_problem(fact, f"The run itself has changed {name_some(list(map(printable_text, own)))}.")
    return fact
