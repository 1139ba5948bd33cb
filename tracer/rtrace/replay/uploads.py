"""What was uploaded into a target: a small JSON file in its folder, written whole or not at all.

    rtrace-uploads.json   what was uploaded, by path; what is on its way; what is to be put back
    rtrace-kept/          the content that is to be put back, a file each; locked by who exchanges files
    bundle.rpz            the bundle that the target was made of

A stranger may have written any of it: sizes are limited, and nothing is believed before it was checked.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from rtrace.errors import ForeignError, TargetError
from rtrace.files.folders import read_own, write_new
from rtrace.path_text import to_bytes, to_text
from rtrace.replay.target_folder import TargetFolder

UPLOADS_FILE = "rtrace-uploads.json"
BUNDLE_FILE = "bundle.rpz"
KEPT_FOLDER = "rtrace-kept"
OWN_NAMES = frozenset({UPLOADS_FILE, f"{UPLOADS_FILE}.new", BUNDLE_FILE, f"{BUNDLE_FILE}.new", KEPT_FOLDER})
"""The names that rtrace itself gives in the folder of a target, whatever its unpacker."""
UPLOADS_FORMAT = 1
UPLOADS_LIMIT = 16 << 20
"""The most bytes that are read of such a file."""

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_NUMBER = re.compile(r"[0-9]{1,9}\Z")
_MOST_ID = (1 << 32) - 2
_MOST_TIME = 1 << 62

Noted = TypeVar("Noted")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a person put in the place of another: size and digest of it, where it came from, and when."""

    name: str
    size: int
    sha256: str
    source: str
    at: float


@dataclass(frozen=True, slots=True)
class Kept:
    """What was at a path before it was replaced for a while: the name of the file that holds it, and its attributes."""

    path: bytes
    file: str
    mode: int
    uid: int
    gid: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Uploads:
    """All that is noted: what was uploaded, what is on its way, and what is to be put back, each by path."""

    files: Mapping[bytes, Upload] = field(default_factory=dict)
    coming: Mapping[bytes, Upload] = field(default_factory=dict)
    kept: Mapping[bytes, Kept] = field(default_factory=dict)

    @property
    def is_unfinished(self) -> bool:
        """Whether something is on its way or has to be put back: by a process that works on it, or was killed."""
        return bool(self.coming or self.kept)

    def announce(self, path: bytes, upload: Upload) -> Uploads:
        """Return the notes with a file that is on its way."""
        return replace(self, coming={**self.coming, path: upload})

    def arrive(self, path: bytes) -> Uploads:
        """Return the notes with a file that was on its way and is there."""
        return replace(self, files={**self.files, path: self.coming[path]}, coming=_without(self.coming, path))

    def forget(self, path: bytes) -> Uploads:
        """Return the notes without a file, which is as packed again."""
        return replace(self, files=_without(self.files, path), coming=_without(self.coming, path))

    def lose(self, path: bytes) -> Uploads:
        """Return the notes without a file that was on its way and never came."""
        return replace(self, coming=_without(self.coming, path))

    def keep(self, kept: Kept) -> Uploads:
        """Return the notes with something that is to be put back."""
        return replace(self, kept={**self.kept, kept.path: kept})

    def give_back(self, path: bytes) -> Uploads:
        """Return the notes without something that was put back."""
        return replace(self, kept=_without(self.kept, path))


def _without(mapping: Mapping[bytes, Noted], path: bytes) -> dict[bytes, Noted]:
    return {key: value for key, value in mapping.items() if key != path}


NO_UPLOADS = Uploads()


def read_uploads(folder: TargetFolder) -> Uploads:
    """Read what was uploaded into a target. Raises TargetError when that cannot be."""
    try:
        content = json.loads(read_own(folder.descriptor, UPLOADS_FILE, UPLOADS_LIMIT))
    except FileNotFoundError:
        return NO_UPLOADS
    except ForeignError as error:
        raise TargetError(f"{error}; remove it, and what was uploaded counts as changed") from None
    except (OSError, ValueError, RecursionError):
        raise _unreadable(folder) from None
    try:
        match content:
            case {"format": int(version)} if version > UPLOADS_FORMAT:
                raise TargetError(f"{folder.shown}/{UPLOADS_FILE} was written by a newer rtrace; update rtrace")
            case {"format": int(), "files": dict(files), "coming": dict(coming), "kept": dict(kept)}:
                return Uploads(
                    {_read_path(path): _read_upload(one) for path, one in files.items()},
                    {_read_path(path): _read_upload(one) for path, one in coming.items()},
                    {_read_path(path): _read_kept(_read_path(path), one) for path, one in kept.items()},
                )
    except (ValueError, OverflowError):
        pass
    raise _unreadable(folder)


def _unreadable(folder: TargetFolder) -> TargetError:
    return TargetError(
        f"{folder.shown}/{UPLOADS_FILE} cannot be read; remove it, and what was uploaded counts as changed"
    )


def _read_path(text: str) -> bytes:
    path = to_bytes(text)
    if not path.startswith(b"/") or b"\0" in path or any(name in {b"", b".", b".."} for name in path[1:].split(b"/")):
        raise ValueError(path)
    return path


def _read_upload(content: object) -> Upload:
    match content:
        case {"name": str(name), "size": int(size), "sha256": str(digest), "from": str(source), "at": float(at)}:
            if size >= 0 and _DIGEST.match(digest) and 0 <= at < _MOST_TIME:
                return Upload(name, size, digest, source, at)
    raise ValueError(content)


def _read_kept(path: bytes, content: object) -> Kept:
    match content:
        case {"file": str(file), "mode": int(mode), "uid": int(uid), "gid": int(gid), "mtime_ns": int(mtime)}:
            is_possible = 0 <= mode <= 0o7777 and 0 <= uid <= _MOST_ID and 0 <= gid <= _MOST_ID  # noqa: PLR2004
            if _NUMBER.match(file) and is_possible and abs(mtime) < _MOST_TIME:
                return Kept(path, file, mode, uid, gid, mtime)
    raise ValueError(content)


def write_uploads(folder: TargetFolder, uploads: Uploads) -> None:
    """Write the notes anew; whoever reads meanwhile reads the old ones or the new ones. Raises OSError."""
    if uploads == NO_UPLOADS:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(UPLOADS_FILE, dir_fd=folder.descriptor)
        return
    content = {
        "coming": {to_text(path): _write_upload(one) for path, one in uploads.coming.items()},
        "files": {to_text(path): _write_upload(one) for path, one in uploads.files.items()},
        "format": UPLOADS_FORMAT,
        "kept": {to_text(path): _write_kept(one) for path, one in uploads.kept.items()},
    }
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    write_new(folder.descriptor, UPLOADS_FILE, text.encode())


def _write_upload(upload: Upload) -> dict[str, object]:
    return {
        "name": upload.name,
        "size": upload.size,
        "sha256": upload.sha256,
        "from": upload.source,
        "at": upload.at,
    }


def _write_kept(kept: Kept) -> dict[str, object]:
    return {"file": kept.file, "mode": kept.mode, "uid": kept.uid, "gid": kept.gid, "mtime_ns": kept.mtime_ns}
