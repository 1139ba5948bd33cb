"""The address of a PostgreSQL database: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=...&host=...`.

What is left out comes from PGPASSWORD, from ~/.pgpass, or is what PostgreSQL's own programs take.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

from rtrace.errors import UsageError

SSL_MODES = ("disable", "prefer", "require", "verify-full")
_PORT = 5432
_SOCKETS = "/var/run/postgresql"
_FIELDS = 5
_EXAMPLE = "write postgresql://USER@HOST/DATABASE"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is, and who asks. ``host`` is a folder of sockets where it begins with a slash."""

    user: str
    password: str | None
    host: str
    port: int
    database: str
    ssl: str

    @property
    def shown(self) -> str:
        """The address as a person sees it, without the password."""
        host = "" if self.host.startswith("/") else self.host
        port = "" if self.port == _PORT or not host else f":{self.port}"
        socket = f"?host={quote(self.host)}" if not host and self.host != _SOCKETS else ""
        return f"postgresql://{quote(self.user)}@{host}{port}/{quote(self.database)}{socket}"


def read_address(url: str) -> Address:
    """Return the address that a URL gives. Raises UsageError, which never shows the URL: it may hold a password."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORT
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    except ValueError:
        raise UsageError(f"the address of the history is not one of PostgreSQL; {_EXAMPLE}") from None
    user = unquote(parts.username or options.get("user") or find_user())
    database = unquote(parts.path.removeprefix("/")) or user
    host = parts.hostname or options.get("host") or _SOCKETS
    ssl = options.get("sslmode", "prefer")
    if ssl not in SSL_MODES:
        raise UsageError(f"sslmode in the address of the history has to be one of {', '.join(SSL_MODES)}")
    password = unquote(parts.password) if parts.password else os.environ.get("PGPASSWORD")
    address = Address(user, password, host, port, database, ssl)
    if password is None:
        address = Address(user, find_password(address), host, port, database, ssl)
    return address


def find_user() -> str:
    """Return the name of this user, as PostgreSQL's programs take it."""
    import pwd

    try:
        return os.environ.get("PGUSER") or pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise UsageError(f"the address of the history names no user; {_EXAMPLE}") from None


def find_password(address: Address) -> str | None:
    """Return the password that ~/.pgpass has for an address, if that file is the user's alone, as libpq demands."""
    path = Path(os.environ.get("PGPASSFILE") or "~/.pgpass").expanduser()
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            return None
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    host = "localhost" if address.host.startswith("/") else address.host
    wanted = (host, str(address.port), address.database, address.user)
    for line in lines:
        fields = line.replace("\\:", "\0").split(":")
        fields = [field.replace("\0", ":").replace("\\\\", "\\") for field in fields]
        if len(fields) == _FIELDS and all(has in ("*", want) for has, want in zip(fields, wanted, strict=False)):
            return fields[-1]
    return None
