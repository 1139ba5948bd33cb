"""The tables of the trace database, ``trace.sqlite3`` in a trace directory. FORMAT.md describes them."""

from __future__ import annotations

from enum import IntFlag

TRACE_FORMAT = 1
KEPT_INPUT = b"/.rtrace-input"
"""The folder of what runs read and what has no name: from pipes, and from files that had been removed before."""


class Use(IntFlag):
    """How a process used a path, as its system calls asked; a row of ``uses`` holds the flags of one kind of call."""

    READ = 1
    """Opened for reading, or read by the kernel (an interpreter)."""
    WRITE = 2
    """Opened for writing with its content kept."""
    TRUNCATE = 4
    """Its content was replaced from nothing (``O_TRUNC``)."""
    CREATE = 8
    """Made by this call: a file, folder, link, or the new name of a rename."""
    LIST = 16
    """A directory opened so that its entries can be listed."""
    LOOKUP = 32
    """Asked for without its content: stat, access, readlink, chdir, a symlink on the way."""
    EXECUTE = 64
    """Executed, or loaded by the kernel for an execution."""
    REMOVE = 128
    """Unlinked, removed, renamed away, or replaced by a rename."""
    METADATA = 256
    """Its mode, owner, times or extended attributes were changed."""
    SOCKET = 512
    """Connected or bound to, as an AF_UNIX socket."""
    APPEND = 1024
    """Opened for writing at its end only (``O_APPEND``): beside WRITE, of a file that was there."""
    UNREAD = 2048
    """About to be removed or replaced from nothing, with content from before the run that nothing had needed until
    then: there is no copy of it. Beside REMOVE, TRUNCATE or CREATE, in a row of its own."""
    KEPT = 4096
    """The call of UNREAD had failed: what was there before the run still was when the run used it again."""
    MOVE = 8192
    """A folder that was to get another name; the call failed, as what had that name was not empty. Beside LOOKUP."""


MUTATIONS = Use.WRITE | Use.TRUNCATE | Use.CREATE | Use.REMOVE | Use.METADATA

SCHEMA = """
CREATE TABLE meta(key TEXT NOT NULL PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE runs(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
  argv BLOB NOT NULL, environ BLOB NOT NULL, binary BLOB NOT NULL, workingdir BLOB NOT NULL,
  uid INTEGER NOT NULL, gid INTEGER NOT NULL, groups TEXT NOT NULL, umask INTEGER NOT NULL,
  hostname TEXT NOT NULL, architecture TEXT NOT NULL, sysname TEXT NOT NULL, release TEXT NOT NULL,
  distribution TEXT NOT NULL, distribution_version TEXT NOT NULL,
  engine TEXT NOT NULL, started REAL NOT NULL, finished REAL, exit_code INTEGER, signal INTEGER);
CREATE TABLE paths(id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE);
CREATE TABLE facts(
  run INTEGER NOT NULL, path INTEGER NOT NULL, time INTEGER NOT NULL,
  type TEXT, mode INTEGER, uid INTEGER, gid INTEGER, size INTEGER, mtime_ns INTEGER,
  device INTEGER, inode INTEGER, links INTEGER, target BLOB, ctime_ns INTEGER, blocks INTEGER,
  PRIMARY KEY(run, path)) WITHOUT ROWID;
CREATE TABLE snapshots(
  run INTEGER NOT NULL, path INTEGER NOT NULL, file TEXT, problem TEXT,
  PRIMARY KEY(run, path)) WITHOUT ROWID;
CREATE TABLE attributes(
  run INTEGER NOT NULL, path INTEGER NOT NULL, name BLOB NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY(run, path, name)) WITHOUT ROWID;
CREATE TABLE environments(id INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE processes(
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, parent INTEGER, pid INTEGER NOT NULL, is_thread INTEGER NOT NULL,
  started INTEGER NOT NULL, ended INTEGER, exit_code INTEGER, signal INTEGER,
  user_time INTEGER, system_time INTEGER, peak_memory INTEGER, bytes_read INTEGER, bytes_written INTEGER);
CREATE TABLE executions(
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, process INTEGER NOT NULL, time INTEGER NOT NULL,
  path INTEGER NOT NULL, argv BLOB NOT NULL, environment INTEGER NOT NULL, workingdir BLOB NOT NULL);
CREATE TABLE uses(
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, process INTEGER NOT NULL, time INTEGER NOT NULL,
  path INTEGER NOT NULL, use INTEGER NOT NULL);
CREATE TABLE moves(
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, process INTEGER NOT NULL, time INTEGER NOT NULL,
  kind TEXT NOT NULL, source INTEGER NOT NULL, destination INTEGER NOT NULL);
CREATE TABLE connections(
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, process INTEGER NOT NULL, time INTEGER NOT NULL,
  call TEXT NOT NULL, family TEXT NOT NULL, address TEXT NOT NULL, port INTEGER);
CREATE TABLE results(
  run INTEGER NOT NULL, path INTEGER NOT NULL,
  type TEXT, mode INTEGER, size INTEGER, mtime_ns INTEGER, device INTEGER, inode INTEGER, sha256 TEXT, target BLOB,
  PRIMARY KEY(run, path)) WITHOUT ROWID;
CREATE TABLE streams(
  run INTEGER NOT NULL, descriptor INTEGER NOT NULL, kind TEXT NOT NULL, joined INTEGER NOT NULL,
  path BLOB, "begin" INTEGER, "end" INTEGER, file TEXT, kept INTEGER, size INTEGER, sha256 TEXT, cut INTEGER NOT NULL,
  rows INTEGER, columns INTEGER, access TEXT, PRIMARY KEY(run, descriptor)) WITHOUT ROWID;
CREATE TABLE notices(
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, kind TEXT NOT NULL, what TEXT NOT NULL, advice TEXT NOT NULL);
"""
