"""The name and password of a registry, where Docker and Podman keep them; nothing is written there.

``docker login`` and ``podman login`` write a file that names hosts, with the password or with the program that has it.
Such a program is asked for the one host alone.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtrace.debugging import debug
from rtrace.errors import ConfigurationError
from rtrace.files.folders import find_home
from rtrace.files.reading import open_at_once
from rtrace.printable import printable_text, shorten
from rtrace.registry.reference import HUB_KEY, Reference

_LARGEST_FILE = 1 << 20
_LARGEST_ANSWER = 1 << 16
_PATIENCE = 30
"""Seconds that a program may take to tell a password; it may ask a person for another one."""
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_OF_TOKENS = "<token>"
"""The name with which a program gives a token instead of a password."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A name with its password, or a token from which others are made. None of it is ever shown."""

    name: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def basic(self) -> str:
        """Return the header of a request; RFC 7617."""
        return "Basic " + base64.b64encode(f"{self.name}:{self.password}".encode()).decode("ascii")


def find_credential(reference: Reference) -> Credential | None:
    """Find what a person has for a registry; None when that is nothing. Raises ConfigurationError."""
    keys = _list_keys(reference)
    for path in list_files():
        settings = _read_settings(path)
        if settings is None:
            continue
        found = _look_up(settings, keys, path)
        if found is not None:
            debug(__name__, "credentials for %s: from %s", reference.host, path)
            return found
    debug(__name__, "credentials for %s: none", reference.host)
    return None


def list_files() -> list[Path]:
    """Return the files that may have credentials, Docker's before Podman's; see containers-auth.json(5)."""
    environ = os.environ
    home = find_home()
    docker = environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker")
    files = [Path(docker, "config.json")]
    if environ.get("REGISTRY_AUTH_FILE"):
        files.insert(0, Path(environ["REGISTRY_AUTH_FILE"]))
    if environ.get("XDG_RUNTIME_DIR"):
        files.append(Path(environ["XDG_RUNTIME_DIR"], "containers", "auth.json"))
    files.append(Path(environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "containers", "auth.json"))
    return files


def _list_keys(reference: Reference) -> list[str]:
    """Return what an entry for a reference may be called, the one that says most first."""
    parts = reference.repository.split("/")
    keys = ["/".join([reference.host, *parts[:number]]) for number in range(len(parts), -1, -1)]
    if reference.address != reference.host:  # Docker's own registry has several names
        keys += [_plain(HUB_KEY), "docker.io", "index.docker.io"]
    return keys


def _plain(key: str) -> str:
    """Return the name of an entry without what Docker writes around it."""
    bare = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    return bare.removesuffix("/v1").removesuffix("/v2")


def _read_settings(path: Path) -> dict[str, Any] | None:
    """Return what a file says, None when there is none. Raises ConfigurationError."""
    try:
        with open(path, "rb", opener=open_at_once) as file:
            content = file.read(_LARGEST_FILE + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}; check its permissions") from None
    settings = _parse(content) if len(content) <= _LARGEST_FILE else None
    if settings is None:
        raise ConfigurationError(f"{path} is not a file of credentials in JSON; log in to the registry anew")
    return settings


def _parse(content: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _look_up(settings: dict[str, Any], keys: list[str], path: Path) -> Credential | None:
    """Return what one file has for a registry, whether it is there or with a program."""
    helpers = _by_plain_name(settings.get("credHelpers"))
    entries = _by_plain_name(settings.get("auths"))
    for key in keys:
        if key in helpers:
            return _ask_helper(helpers[key][1], _server(key, helpers[key][0]), path)
    store = settings.get("credsStore")
    if store:
        for key in keys:
            if key in entries or "/" not in key:
                found = _ask_helper(store, _server(key, entries[key][0] if key in entries else key), path)
                if found is not None:
                    return found
    for key in keys:
        entry = entries.get(key, ("", None))[1]
        if isinstance(entry, dict):
            found = _read_entry(entry, path)
            if found is not None:
                return found
    return None


def _by_plain_name(found: object) -> dict[str, tuple[str, Any]]:
    """Return entries by their plain names, with the names that they have."""
    return {_plain(key): (key, value) for key, value in found.items()} if isinstance(found, dict) else {}


def _server(key: str, written: str) -> str:
    """Return what a program knows a registry as: what the file calls it."""
    return HUB_KEY if key == _plain(HUB_KEY) else written


def _read_entry(entry: dict[str, Any], path: Path) -> Credential | None:
    """Return what an entry of a file says; None for one that says nothing."""
    token = entry.get("identitytoken")
    if isinstance(token, str) and token:
        return Credential(token=token)
    encoded = entry.get("auth")
    if isinstance(encoded, str) and encoded:
        try:
            text = base64.b64decode(encoded, validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            text = ""
        name, colon, password = text.partition(":")
        if not colon:
            raise ConfigurationError(f"{path} has credentials that cannot be read; log in to the registry anew")
        return Credential(name, password.rstrip("\0"))
    user, secret = entry.get("username"), entry.get("password")
    return Credential(user, secret) if isinstance(user, str) and isinstance(secret, str) and user else None


def _ask_helper(name: object, server: str, path: Path) -> Credential | None:
    """Ask a program for the credentials of a registry; None when it has none. Raises ConfigurationError."""
    if not isinstance(name, str) or not _HELPER.match(name):
        raise ConfigurationError(f"{path} names a program for credentials by what is no name; log in anew")
    program = f"docker-credential-{name}"
    found = shutil.which(program)
    if found is None:
        raise ConfigurationError(f"{path} has credentials kept by {program}, which is not installed; install it")
    try:
        done = subprocess.run(
            [found, "get"], input=server.encode(), capture_output=True, check=False, timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise ConfigurationError(
            f"{program}, which {path} names, told no password in {_PATIENCE} seconds; unlock what it keeps them in"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"cannot start {found}, which {path} names: {error.strerror}; install it") from None
    if done.returncode:
        words = done.stdout.decode("utf-8", "replace").strip()
        if "not found" in words:
            return None
        reason = shorten(printable_text(words.partition("\n")[0])) or f"exit status {done.returncode}"
        raise ConfigurationError(f"{program}, which {path} names, gives no password: {reason}; try it by hand")
    answer = _parse(done.stdout) if len(done.stdout) <= _LARGEST_ANSWER else None
    user, secret = (answer or {}).get("Username"), (answer or {}).get("Secret")
    if not isinstance(user, str) or not isinstance(secret, str):
        raise ConfigurationError(f"{program}, which {path} names, answers with what is no password; try it by hand")
    if not secret:
        return None
    return Credential(token=secret) if user == _OF_TOKENS else Credential(user, secret)
