"""What a tracer that was killed leaves behind."""

from __future__ import annotations

from rtrace.trace.directory import TraceDirectory
from rtrace.trace.place import TracePlace


def count_runs(trace: TraceDirectory) -> int:
    """Return how many runs a trace has."""
    connection = trace.open()
    try:
        (count,) = connection.execute("SELECT count(*) FROM runs").fetchone()
        return int(count)
    finally:
        connection.close()


ADD_RUN = (
    "INSERT INTO runs(id, name, argv, environ, binary, workingdir, uid, gid, groups, umask, hostname, architecture,"
    " sysname, release, distribution, distribution_version, engine, started)"
    " SELECT 2, 'x', '', '', '', '', 0, 0, '', 0, '', '', '', '', '', '', '', 0"
)


def die(place: TracePlace) -> None:
    """Let go of a trace as a process does that is killed."""
    place.connection.close()
    place.release()
