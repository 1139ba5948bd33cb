"""Which package managers' databases are here, and can tell whose a file is."""

from __future__ import annotations

import os
from collections.abc import Iterator

from rtrace.packages.registry import list_system_managers
from rtrace.printable import printable
from rtrace.replay.protocol import Ability

ASKED = b"/bin/sh"
"""A file that every system has and some package owns."""


def examine_package_databases() -> Iterator[Ability]:
    """Ask each database that is here whose the shell is."""
    asked = os.path.realpath(ASKED)
    found = False
    for manager in list_system_managers():
        if not any(os.path.exists(b"/" + database) for database in manager.databases):
            continue
        owner = manager.open_database(b"/").find_owners([asked]).get(asked)
        if owner is not None:
            found = True
            detail = f"{printable(asked)} is of {owner.name} {owner.version}"
            yield Ability(manager.name, works=True, detail=detail, part="packages")
    if not found:
        names = ", ".join(manager.name for manager in list_system_managers())
        detail = f"no database of {names} knows {printable(asked)}: files of the system count as nobody's"
        yield Ability("system packages", works=False, detail=detail, part="packages")
