"""Notebooks, compared by their cells and what these gave; pictures in them by their pixels."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from binascii import Error as Base64Error
from typing import TYPE_CHECKING, Any, BinaryIO

from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule
from rtrace.verify.kinds.trees import Tree, is_json, load_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.verify.kinds.model import Kind

_LEFT_OUT = (
    ("numbers of executions", re.compile(r"/cells/\d+/(?:outputs/\d+/)?execution_count")),
    ("identifiers of cells", re.compile(r"/cells/\d+/id")),
    ("times of executions", re.compile(r"/cells/\d+/metadata/(?:execution|ExecuteTime)(?:/|$)")),
    ("versions of the notebook's language", re.compile(r"/metadata/language_info/(?:version|pygments_lexer)")),
)
_PROSE = re.compile(r"/cells/\d+/(?:source|outputs/\d+/(?:text|data/text~1[^/]*|traceback))")
_PICTURES = ("image/png", "image/jpeg", "image/gif")


class Notebook:
    """Compares cell by cell; numbers and times of executions, and how output was cut into pieces, do not count."""

    name = "notebook"

    def __init__(self, picture: Kind) -> None:
        self._tree = Tree(self.name, is_notebook, load_notebook, leave_out_of_notebook, is_prose=_is_prose)
        self._picture = picture

    def recognise(self, head: bytes, name: bytes) -> bool:
        """Whether a content may be a notebook."""
        return is_notebook(head, name)

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare cells and outputs. Raises CannotCompareError."""
        findings = Findings(self.name, rule)
        old, new = (self._tree.read(file) for file in (expected, found))
        for place, one, other in _pair_pictures(old, new):
            if one["data"][place[1]] != other["data"][place[1]]:
                self._compare_picture(*place, one, other, findings)
        self._tree.compare_trees(old, new, findings)
        return findings.conclude()

    def _compare_picture(
        self, place: str, kind: str, old: dict[str, Any], new: dict[str, Any], findings: Findings
    ) -> None:
        """Compare two pictures, and make one of them as the other where they say the same."""
        try:
            files = [io.BytesIO(b64decode("".join(one["data"][kind].split()))) for one in (old, new)]
            judged = self._picture.compare(files[0], files[1], findings.rule, (b"", b""))
        except (CannotCompareError, Base64Error, ValueError):  # compared as the text that it is
            return
        findings.take(f"{place}/data/{kind}", judged)
        new["data"][kind] = old["data"][kind]


def _pair_pictures(old: Any, new: Any) -> Iterator[tuple[tuple[str, str], dict[str, Any], dict[str, Any]]]:  # noqa: ANN401
    """Yield the outputs of the same place that hold a picture."""
    for at, cells in enumerate(zip(_list(old, "cells"), _list(new, "cells"), strict=False)):
        for number, outputs in enumerate(zip(*(_list(cell, "outputs") for cell in cells), strict=False)):
            for kind in _PICTURES:
                if all(isinstance(_get(_get(output, "data"), kind), str) for output in outputs):
                    yield (f"/cells/{at}/outputs/{number}", kind), outputs[0], outputs[1]


def load_notebook(content: bytes) -> object:
    """Return the values of a notebook: text in one piece, and what a stream printed, too. Raises CannotCompareError."""
    notebook = load_json(content)
    for cell in _list(notebook, "cells"):
        _join(cell, "source")
        outputs = _list(cell, "outputs")
        for output in outputs:
            _join(output, "text")
            data = _get(output, "data")
            for kind in data if isinstance(data, dict) else ():
                if not kind.endswith("json"):
                    _join(data, kind)
        if outputs:
            cell["outputs"] = _join_streams(outputs)
    return notebook


def _join_streams(outputs: list[Any]) -> list[Any]:
    """Return outputs in which what was printed to a stream without anything between it is one output."""
    joined: list[Any] = []
    for output in outputs:
        last: Any = joined[-1] if joined else None
        is_more = last is not None and all(
            _get(one, "output_type") == "stream" and isinstance(_get(one, "text"), str) for one in (last, output)
        )
        if is_more and _get(last, "name") == _get(output, "name"):
            last["text"] += output["text"]
        else:
            joined.append(output)
    return joined


def _join(holder: Any, key: str) -> None:  # noqa: ANN401 -- values of JSON
    """Make one text of a list of them, which means the same."""
    value = _get(holder, key)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        holder[key] = "".join(value)


def _get(holder: Any, key: str) -> Any:  # noqa: ANN401
    return holder.get(key) if isinstance(holder, dict) else None


def _list(holder: Any, key: str) -> list[Any]:  # noqa: ANN401
    value = _get(holder, key)
    return value if isinstance(value, list) else []


def leave_out_of_notebook(path: str) -> str | None:
    """Return what to call a part of a notebook that is made anew each time, None for any other."""
    return next((name for name, pattern in _LEFT_OUT if pattern.match(path)), None)


def _is_prose(path: str) -> bool:
    return _PROSE.match(path.replace("text/", "text~1")) is not None


def is_notebook(head: bytes, name: bytes) -> bool:
    """Whether a content may be a notebook."""
    return is_json(head, name) and (b'"cells"' in head or name.endswith(b".ipynb"))
