"""The address of a repository elsewhere, without what lets somebody in there."""

from __future__ import annotations

import re

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(.*)", re.DOTALL)
_SHORT = re.compile(r"([^/@\s]*@)?([^/:@\s]+):(?!//)(.*)", re.DOTALL)
_HELPER = re.compile(r"([A-Za-z0-9_-]+)::(.*)", re.DOTALL)
_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")
_LATE = re.compile(r":[^@]*@")
_PORT = re.compile(r"(\[[^\]]*\]|[^:]*)(:[0-9]*)?")
_LOGIN = ("ssh", "git+ssh", "ssh+git", "svn+ssh", "sftp", "rsync")
"""Schemes in which a user's name says where to go, and lets nobody in."""


def strip_credentials(url: str) -> str:
    """Return a URL, or what git takes for one, without passwords, tokens, queries and the commands of helpers.

    A user's name stays where ssh needs it, unless it looks like none.
    """
    url = url.strip()
    helper = _HELPER.fullmatch(url)
    if helper:
        return f"{helper[1]}::" if helper[1] == "ext" else f"{helper[1]}::{strip_credentials(helper[2])}"
    match = _URL.fullmatch(url)
    if match:
        scheme, authority, rest = match[1], match[2], match[3]
        user, _at, host = authority.rpartition("@")
        if _LATE.search(rest) or (
            not _PORT.fullmatch(host) and "@" in rest
        ):  # a password with a slash in it, or the like
            authority, rest = _split_late(f"{authority}{rest}")
            user, _at, host = authority.rpartition("@")
        path = re.split(r"[?#]", rest, maxsplit=1)[0]
        return f"{scheme}://{_keep_user(user) if scheme.lower() in _LOGIN else ''}{host}{path}"
    short = _SHORT.fullmatch(url)
    if short:
        return f"{_keep_user((short[1] or '')[:-1])}{short[2]}:{short[3]}"
    if "@" in url and ":" in url.partition("@")[0] and not url.startswith(("/", ".")):
        return strip_credentials(url.rpartition("@")[2])  # `user:password@host:path`, which nobody should write
    return url


def _split_late(text: str) -> tuple[str, str]:
    """Split what follows `://` behind the host after the last `@`."""
    before, _at, after = text.rpartition("@")
    host = re.split(r"[/?#]", after, maxsplit=1)[0]
    return f"{before}@{host}", after[len(host) :]


def _keep_user(user: str) -> str:
    name = user.partition(":")[0]
    return f"{name}@" if _USER.fullmatch(name) else ""
