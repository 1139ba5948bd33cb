"""Where a git repository keeps its things, and what can be read of it without git: HEAD, branches, tags, settings.

A folder that claims to be a repository may point anywhere. What it points at is read only when that points back: else
a project from a stranger could have the content of a private repository of this user written into a record. No symlink
that leads out of the repository's folder is followed, for the same reason.
"""

from __future__ import annotations

import os
import re
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from rtrace.files.reading import open_content
from rtrace.path_text import to_bytes
from rtrace.record.facts.version_control.configuration import LARGEST_CONFIGURATION, Settings, parse_configuration

LARGEST_INDEX = 512 << 20
_LARGEST_PACKED_REFS = 64 << 20
_SMALL = 4096
_MOST_TAGS = 10_000
_DEEPEST_REFERENCE = 5
_LARGEST_COMMIT = 64 << 10
_LONGEST_TIME = 12
_HASH = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True)
class GitFolders:
    """The folders of a repository: of its working tree, that tree's own, and the one that all its trees share."""

    root: bytes | None
    own: bytes
    common: bytes

    @cached_property
    def settings(self) -> Settings:
        """The settings of the repository, none of those that it includes."""
        return parse_configuration(read_inside(self.common, b"config", LARGEST_CONFIGURATION) or b"")

    def setting(self, name: str) -> str | None:
        """Return the last value of a setting."""
        values = self.settings.get(name)
        return values[-1] if values else None

    def read_head(self) -> tuple[bytes | None, bytes | None]:
        """Return the commit that is checked out, and the name of the branch; None for what is not there."""
        content = (read_inside(self.own, b"HEAD", _SMALL) or b"").strip()
        if not content.startswith(b"ref:"):
            return (content if _HASH.fullmatch(content) else None), None
        name = content[4:].strip()
        return self.resolve(name), name.removeprefix(b"refs/heads/")

    def resolve(self, name: bytes) -> bytes | None:
        """Return the object that a reference's name stands for."""
        for _ in range(_DEEPEST_REFERENCE):
            if not name.startswith(b"refs/") or b".." in name or b"\0" in name:
                return None
            content = (read_inside(self.own, name, _SMALL) or read_inside(self.common, name, _SMALL) or b"").strip()
            if not content.startswith(b"ref:"):
                if _HASH.fullmatch(content):
                    return content
                return next((value for packed, value, _peeled in self.packed if packed == name), None)
            name = content[4:].strip()
        return None

    @cached_property
    def packed(self) -> list[tuple[bytes, bytes, bytes | None]]:
        """References that are packed: name, object, and for a tag that is an object itself what it is of."""
        found: list[tuple[bytes, bytes, bytes | None]] = []
        for line in (read_inside(self.common, b"packed-refs", _LARGEST_PACKED_REFS) or b"").splitlines():
            if line.startswith(b"^") and found and _HASH.fullmatch(line[1:]):
                found[-1] = (*found[-1][:2], line[1:])
                continue
            value, _, name = line.partition(b" ")
            if _HASH.fullmatch(value) and name.startswith(b"refs/"):
                found.append((name, value, None))
        return found

    def read_commit_time(self, commit: bytes) -> int | None:
        """Return when a commit was made, in seconds since 1970; None for one that git has packed, or that is none."""
        packed = read_inside(self.common, b"objects/%b/%b" % (commit[:2], commit[2:]), _LARGEST_COMMIT)
        try:
            content = zlib.decompressobj().decompress(packed or b"", _LARGEST_COMMIT)
        except zlib.error:
            return None
        head, end, _message = content.partition(b"\n\n")
        if not head.startswith(b"commit ") or not end:
            return None
        line = next((line for line in head.split(b"\n") if line.startswith(b"committer ")), b"")
        time = line.rpartition(b"> ")[2].partition(b" ")[0]
        return int(time) if time.isdigit() and len(time) <= _LONGEST_TIME else None

    def find_tags(self) -> Iterator[tuple[bytes, bytes, bytes | None]]:
        """Yield the tags: name, object, and what it is of where that is known without looking into the objects."""
        prefix = b"refs/tags/"
        loose = set()
        for name in self._walk(prefix.rstrip(b"/")):
            content = (read_inside(self.common, name, _SMALL) or b"").strip()
            if _HASH.fullmatch(content):
                loose.add(name)
                yield name.removeprefix(prefix), content, None
        for name, value, peeled in self.packed:
            if name.startswith(prefix) and name not in loose:
                yield name.removeprefix(prefix), value, peeled

    def _walk(self, start: bytes) -> Iterator[bytes]:
        """Yield the names of the files below a folder of the shared one; not beyond symlinks, and not without end."""
        waiting, left = [start], _MOST_TAGS
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(os.path.join(self.common, folder)) as entries:
                    for entry in sorted(entries, key=lambda entry: entry.name):
                        left -= 1
                        if left < 0:
                            return
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(os.path.join(folder, entry.name))
                        elif entry.is_file(follow_symlinks=False):
                            yield os.path.join(folder, entry.name)
            except OSError:  # ENOENT: no tags at all
                continue


def find_folders(root: bytes) -> GitFolders | None:
    """Return the folders of the repository that a working tree, or a bare repository, belongs to.

    None when its `.git` leads to a folder that does not lead back to it.
    """
    dot = os.path.join(root, b".git")
    try:
        mode = os.lstat(dot).st_mode
    except OSError:  # ENOENT: it may be bare
        bare = os.path.realpath(root)
        return GitFolders(None, bare, bare) if is_git_folder(bare) else None
    if stat.S_ISDIR(mode):
        own = os.path.realpath(dot)
        return GitFolders(root, own, own)
    if not stat.S_ISREG(mode):
        return None
    content = read_inside(os.path.realpath(root), b".git", _SMALL) or b""
    if not content.startswith(b"gitdir:"):
        return None
    own = os.path.realpath(os.path.join(root, content[len(b"gitdir:") :].strip(b" \r\n")))
    return _follow_worktree(root, own) or _follow_setting(root, own)


def _follow_worktree(root: bytes, own: bytes) -> GitFolders | None:
    """Return the folders of a tree that `git worktree` has added; the repository has its path in a file."""
    shared = (read_inside(own, b"commondir", _SMALL) or b"").strip(b"\r\n")
    back = (read_inside(own, b"gitdir", _SMALL) or b"").strip(b"\r\n")
    if not shared or not back:
        return None
    common = os.path.realpath(os.path.join(own, shared))
    lies_in_it = os.path.dirname(own) == os.path.join(common, b"worktrees")
    leads_back = os.path.realpath(os.path.join(own, back)) == os.path.realpath(os.path.join(root, b".git"))
    return GitFolders(root, own, common) if lies_in_it and leads_back else None


def _follow_setting(root: bytes, own: bytes) -> GitFolders | None:
    """Return the folders of a submodule, or of a tree whose repository lies elsewhere: a setting has its path."""
    if read_inside(own, b"commondir", _SMALL) is not None:
        return None
    folders = GitFolders(root, own, own)
    back = folders.setting("core.worktree")
    if back is None:
        return None
    leads_back = os.path.realpath(os.path.join(own, to_bytes(back))) == os.path.realpath(root)
    return folders if leads_back else None


def is_git_folder(folder: bytes) -> bool:
    """Whether a folder has what every repository of git has."""
    return all(os.path.exists(os.path.join(folder, name)) for name in (b"HEAD", b"objects", b"refs"))


def find_size(folder: bytes, name: bytes) -> int:
    """Return the size of a file in a folder; 0 where there is none."""
    try:
        return os.lstat(os.path.join(folder, name)).st_size
    except OSError:  # ENOENT
        return 0


def read_inside(folder: bytes, name: bytes, limit: int) -> bytes | None:
    """Return the content of a regular file in a folder; None where there is none, it is longer, or lies elsewhere."""
    path = os.path.join(folder, name)
    if os.path.realpath(os.path.dirname(path)) != os.path.normpath(os.path.dirname(path)):
        return None  # a symlink on the way
    try:
        descriptor = open_content(path)
    except OSError:  # ENOENT, or ELOOP for a symlink
        return None
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        content = file.read(limit + 1)
    return content if len(content) <= limit else None
