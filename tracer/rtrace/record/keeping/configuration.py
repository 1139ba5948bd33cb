"""The configuration file, and the data store in it.

It is the person's own file, and never one in the folder of a project: whoever clones a project would send their outputs
wherever its author likes.

    store:
      folder: ~/kept                        # copies, by digest
      mirror: /mnt/backup/kept              # the same once more
      webdav: https://dav.example.org/kept  # and on a server
      archive: true                         # one .tar.zst a run, in place of a file for each output
"""

from __future__ import annotations

import os
from typing import NamedTuple

from rtrace.errors import ConfigurationError
from rtrace.files.folders import find_own_folder
from rtrace.printable import format_size

VARIABLE = "RTRACE_CONFIG"
_MOST_BYTES = 1 << 20
_MOST_VALUES, _DEEPEST = 10_000, 20
_FOLDERS = ("folder", "mirror")
_KEYS = {*_FOLDERS, "webdav", "archive"}


class Store(NamedTuple):
    """Where outputs are kept: folders, as absolute paths, and the address of a server."""

    folders: tuple[str, ...]
    webdav: str | None
    archive: bool


def find_configuration() -> str | None:
    """Return the path of the configuration file; None where there is none, which costs one look."""
    named = os.environ.get(VARIABLE)
    if named:
        return named
    path = find_own_folder("XDG_CONFIG_HOME") / "rtrace/config.yml"
    return str(path) if os.path.exists(path) else None


def read_store(path: str) -> Store | None:
    """Return the store that a configuration file names; None where it names none. Raises ConfigurationError."""
    from rtrace.files.reading import open_at_once
    from rtrace.manifest.reading.values import read_documents

    try:
        with open(path, "rb", opener=open_at_once) as file:
            content = file.read(_MOST_BYTES + 1) or b""
        if len(content) > _MOST_BYTES:
            raise ConfigurationError(f"{path} is larger than {format_size(_MOST_BYTES)}; name another file")
        documents = read_documents(content.decode("utf-8"), most=_MOST_VALUES, deepest=_DEEPEST)
    except (OSError, ValueError) as error:  # UnicodeDecodeError, too
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error).splitlines()[0]
        raise ConfigurationError(f"{path} cannot be read ({reason}); correct it") from None
    top = documents[0] if documents else None
    if top is None:
        return None
    if not isinstance(top, dict) or set(map(str, top)) - {"store"}:
        raise ConfigurationError(f"{path} may have nothing but `store:` at the top; correct it")
    return _check_store(path, top.get("store"))


def _check_store(path: str, settings: object) -> Store | None:
    if settings is None:
        return None
    if not isinstance(settings, dict):
        raise ConfigurationError(f"`store` in {path} is no mapping; write `folder: FOLDER` below it")
    unknown = sorted(set(map(str, settings)) - _KEYS)
    if unknown:
        raise ConfigurationError(f"`store.{unknown[0]}` in {path} means nothing; there are {', '.join(sorted(_KEYS))}")
    folders = tuple(_check_folder(path, name, settings[name]) for name in _FOLDERS if settings.get(name) is not None)
    if settings.get("mirror") is not None and settings.get("folder") is None:
        raise ConfigurationError(f"`store.mirror` in {path} needs a `folder` that it mirrors; add one")
    webdav, archive = settings.get("webdav"), settings.get("archive", False)
    if not isinstance(archive, bool):
        raise ConfigurationError(f"`store.archive` in {path} is neither true nor false; correct it")
    if webdav is not None and (not isinstance(webdav, str) or not webdav.startswith(("http://", "https://"))):
        raise ConfigurationError(f"`store.webdav` in {path} is not an address of http or https; correct it")
    return Store(folders, webdav, archive) if folders or webdav else None


def _check_folder(path: str, name: str, value: object) -> str:
    folder = os.path.expanduser(value) if isinstance(value, str) else ""
    if not os.path.isabs(folder):
        raise ConfigurationError(f"`store.{name}` in {path} is not an absolute path; write it from / or ~ on")
    return os.path.normpath(folder)
