"""MATLAB's variables (.mat, version 5; 7.3 is HDF5), read by SciPy."""

from __future__ import annotations

from typing import Any, BinaryIO

from rtrace.verify.kinds.data.values import compare_values
from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule
from rtrace.verify.plugins.reading import reading

_MAGIC, _MARKS = b"MATLAB 5.0 MAT-file", {b"IM", b"MI"}
_BESIDES = {"__header__", "__version__", "__globals__"}


class Matlab:
    """Compares variable by variable; when and where the file was written, and its compression, do not count."""

    name = "MATLAB file"

    def recognise(self, head: bytes, name: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether a content begins as MATLAB's and Octave's do."""
        return head.startswith(_MAGIC) and head[126:128] in _MARKS

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare the variables. Raises CannotCompareError."""
        findings = Findings(self.name, rule)
        with reading(self.name, "scipy"):
            from scipy.io import loadmat

            old, new = (loadmat(file, mat_dtype=False, chars_as_strings=False) for file in (expected, found))
            if any(
                type(value).__name__ == "MatlabFunction" or name == "None"
                for name, value in (*old.items(), *new.items())
            ):
                raise CannotCompareError("it holds functions or objects, which are not compared")
            for name in sorted((old.keys() | new.keys()) - _BESIDES):
                if findings.leaves_out(f"/{name}"):
                    continue
                if name not in old or name not in new:
                    findings.differ(
                        f"variable {name}", *("there" if name in one else "not there" for one in (old, new))
                    )
                else:
                    compare_values(name, _plain(old[name]), _plain(new[name]), findings)
        if findings.likeness in {"equal", "close"}:
            findings.ignore("time and place at which it was written, or compression")
        return findings.conclude()


def _plain(value: Any) -> Any:  # noqa: ANN401 -- of SciPy
    """Return a sparse matrix as the indices and values that it has."""
    if not hasattr(value, "tocoo"):
        return value
    import numpy as np

    value = value.tocsc()
    value.sum_duplicates()
    there = value.tocoo()
    return np.array([*value.shape, *there.row, *there.col, *there.data])


MATLAB = Matlab()
