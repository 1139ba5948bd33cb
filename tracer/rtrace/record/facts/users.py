"""Who ran it: the user database, and what git's configuration says of that person."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rtrace.record.facts.version_control.configuration import read_person

if TYPE_CHECKING:
    from rtrace.record.document import UserFact


def read_name(environ: Mapping[str, str] | None = None) -> str | None:
    """Return the name of this process's user: the database's, else what the environment says."""
    environ = os.environ if environ is None else environ
    with contextlib.suppress(KeyError, ImportError):  # a number without an entry, as in a container; Windows
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    return environ.get("LOGNAME") or environ.get("USER") or environ.get("USERNAME")


def read_user(environ: Mapping[str, str] | None = None) -> UserFact:
    """Return the user of this process; name and e-mail address as commits have them, else the database's full name."""
    import pwd

    environ = os.environ if environ is None else environ
    identifier = os.getuid()
    full_name = home = None
    with contextlib.suppress(KeyError):  # a number without an entry, as in a container
        entry = pwd.getpwuid(identifier)
        home = entry.pw_dir
        full_name = entry.pw_gecos.partition(",")[0].replace("&", entry.pw_name.capitalize()).strip() or None
    person = read_person(environ, environ.get("HOME") or home)
    return {
        "name": read_name(environ),
        "full_name": person.name or full_name,
        "email": person.email or environ.get("EMAIL") or None,
        "uid": identifier,
        "gid": os.getgid(),
        "groups": sorted(os.getgroups()),
    }
