"""The keys of every mapping in a manifest, in the order in which they are written.

The same keys, in the same order and below the same names, are in ``manifest.schema.json``; a test compares them.
"""

from __future__ import annotations

MANIFEST = (
    "version",
    "rtrace",
    "runs",
    "inputs",
    "outputs",
    "packages",
    "completion",
    "exclude",
    "include",
    "ignore",
    "claims",
    "elsewhere",
    "secrets",
    "notices",
    "unowned",
    "digests",
)
RUN = (
    "id",
    "argv",
    "binary",
    "workingdir",
    "started",
    "finished",
    "exit_code",
    "signal",
    "needs",
    "stdin",
    "stdout",
    "stderr",
    "descriptors",
    "uid",
    "gid",
    "groups",
    "umask",
    "hostname",
    "architecture",
    "system",
    "distribution",
    "environ",
    "environ_besides",
)
STANDARD_INPUT = ("path", "offset", "pipe")
DESCRIPTOR = ("descriptor", "kind", "path", "offset", "access", "same")
OUTPUT_STREAM = ("kind", "size", "window", "cut", "joined", "sha256", "compare")
NAMED_FILE = ("name", "path", "runs", "pattern", "compare")
COMPARISON = ("tolerance", "absolute", "ignore", "order")
PACKAGE = ("name", "version", "files", "size", "pack", "architecture", "manager", "origin")
COMPLETION = ("rule", "name", "files", "size", "pack")
SECRET = ("place", "rule", "what", "pack")
CLAIM = ("claim", "run", "outputs", "tolerance")
ELSEWHERE = ("path", "size", "sha256", "url")
FOLDER = ("path", "files", "size")
NOTICE = ("kind", "what", "advice")
