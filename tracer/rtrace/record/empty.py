"""A record of which nothing is known yet: every key is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace import __version__
from rtrace.record import RECORD_FORMAT
from rtrace.record.ids import new_id

if TYPE_CHECKING:
    from rtrace.record.document import Kind, MachineFact, Record, UsageFact, UserFact


def empty_record(kind: Kind = "run", created_by: str = f"rtrace {__version__}") -> Record:
    """Return a record with a new identifier, and null or nothing for all else."""
    return {
        "format": RECORD_FORMAT,
        "kind": kind,
        "id": new_id(),
        "label": None,
        "parent": None,
        "created_by": created_by,
        "reason": None,
        "outcome": None,
        "tags": [],
        "project": None,
        "status": "unknown",
        "exit_code": None,
        "signal": None,
        "started": None,
        "finished": None,
        "usage": empty_usage(),
        "arguments": [],
        "workingdir": None,
        "main": None,
        "launch": "serial",
        "user": empty_user(),
        "machine": empty_machine(),
        "surroundings": {"container": None, "batch": None, "mpi": None, "virtual": None},
        "repositories": [],
        "executables": [],
        "scripts": [],
        "libraries": [],
        "packages": [],
        "parameters": [],
        "inputs": [],
        "outputs": [],
        "environment": {},
        "stdin": None,
        "stdout": None,
        "stderr": None,
        "processes": [],
        "notices": [],
        "redacted": [],
        "ranks": [],
        "annotations": [],
        "verdict": None,
        "trace": None,
        "run_name": None,
        "bundles": [],
        "kept": [],
        "imported": None,
    }


def empty_usage() -> UsageFact:
    """Return what a run took, all unknown."""
    return {
        "wall": None,
        "user": None,
        "system": None,
        "peak_memory": None,
        "bytes_read": None,
        "bytes_written": None,
    }


def empty_user() -> UserFact:
    """Return a user of whom nothing is known."""
    return {"name": None, "full_name": None, "email": None, "uid": None, "gid": None, "groups": []}


def empty_machine() -> MachineFact:
    """Return a machine of which nothing is known."""
    return {
        "hostname": None,
        "addresses": [],
        "system": None,
        "release": None,
        "version": None,
        "architecture": None,
        "bits": None,
        "linkage": None,
        "distribution": None,
        "distribution_version": None,
        "processor": None,
        "processor_flags": [],
        "cores": None,
        "memory": None,
        "gpus": [],
        "libc": None,
        "locale": None,
        "time_zone": None,
        "settings": {},
    }
