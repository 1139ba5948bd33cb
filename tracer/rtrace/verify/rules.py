"""How strictly each result is compared: as the manifest says for an output, and else as was asked for all."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.verify.kinds.model import Rule

if TYPE_CHECKING:
    from rtrace.manifest.model import Comparison, Manifest, Run


class Rules:
    """Knows the rule of each result. What the manifest gives for a folder holds for all in it."""

    def __init__(self, manifest: Manifest, default: Rule) -> None:
        self._default = default
        self._by_path = {
            output.path.rstrip(b"/"): make_rule(output.compare, default)
            for output in manifest.outputs
            if output.compare is not None
        }
        self._folders = {output.path.rstrip(b"/") for output in manifest.outputs if output.path.endswith(b"/")}

    def find(self, path: bytes) -> Rule:
        """Return the rule for a file."""
        if path in self._by_path:
            return self._by_path[path]
        while self._by_path and path:
            path = path.rpartition(b"/")[0]
            if path in self._by_path and path in self._folders:
                return self._by_path[path]
        return self._default

    def find_of_stream(self, run: Run, stream: str) -> Rule:
        """Return the rule for a stream of a run."""
        output = run.stdout if stream == "stdout" else run.stderr
        return self._default if output is None else make_rule(output.compare, self._default)


def make_rule(compare: Comparison | None, default: Rule) -> Rule:
    """Return the rule that a manifest gives; what it does not say is as by default."""
    if compare is None:
        return default
    given = {"tolerance": compare.tolerance, "absolute": compare.absolute}
    numbers = {name: value for name, value in given.items() if value is not None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what may change in a later Python
        ignore = (*default.ignore, *map(re.compile, compare.ignore))
    return replace(default, **numbers, ignore=ignore, unordered=compare.unordered or default.unordered)
