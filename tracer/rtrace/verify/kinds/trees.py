"""Trees of values: JSON, YAML, TOML, XML, SVG and notebooks."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, BinaryIO

from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule, shorten_text
from rtrace.verify.kinds.text import compare_lines, compare_numbers, give_hint, is_text, show_difference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from xml.etree.ElementTree import Element

MOST = 64 << 20
"""Bytes of a document that may be in memory as values."""
_DEEPEST = 200
_MOST_VALUES = 2_000_000
_MAIN = {"xml": re.compile(rb"\s*(?:<\?xml|<svg[\s>])"), "json": re.compile(rb"\s*[\[{\"]")}


@dataclass(frozen=True, slots=True)
class Number:
    """A number by its digits, of which a float may lose some."""

    digits: str


class Tree:
    """Compares documents as the values that they stand for; the order of keys and the layout do not count.

    ``left_out`` tells what of a document means nothing: it is given the path of a value, and returns what to call that.
    ``usual`` is what to call the difference of documents with the same values; ``is_prose`` tells by its path whether a
    value is text of several lines with numbers in it.
    """

    def __init__(
        self,
        name: str,
        is_one: Callable[[bytes, bytes], bool],
        load: Callable[[bytes], object],
        left_out: Callable[[str], str | None] = lambda _path: None,
        usual: str = "order of keys, or layout",
        is_prose: Callable[[str], bool] = lambda _path: False,
    ) -> None:
        self.name = name
        self._is_one = is_one
        self._load = load
        self._left_out = left_out
        self._usual = usual
        self._is_prose = is_prose

    def recognise(self, head: bytes, name: bytes) -> bool:
        """Whether a content is such a document."""
        return self._is_one(head, name)

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare value by value. Raises CannotCompareError for what is no such document."""
        findings = Findings(self.name, rule)
        self.compare_trees(self.read(expected), self.read(found), findings)
        return findings.conclude()

    def read(self, file: BinaryIO) -> object:
        """Return the values of a document. Raises CannotCompareError."""
        return self._load(_read_all(file))

    def compare_trees(self, old: object, new: object, findings: Findings) -> None:
        """Compare the values of two documents."""
        self._compare("", old, new, findings)
        if findings.likeness == "equal" and not findings.ignored:
            findings.ignore(self._usual)

    def _compare(self, path: str, old: object, new: object, findings: Findings) -> None:
        if path.count("/") > _DEEPEST:
            raise CannotCompareError(f"it is deeper than {_DEEPEST} levels")
        name = self._left_out(path)
        if name is not None:
            if old != new:
                findings.ignore(name)
        elif path and old != new and findings.leaves_out(path):
            return
        elif isinstance(old, dict) and isinstance(new, dict):
            self._compare_keys(path, old, new, findings)
        elif isinstance(old, list) and isinstance(new, list):
            self._compare_items(path, old, new, findings)
        elif isinstance(old, Number) and isinstance(new, Number):
            if old != new:
                compare_numbers(path or "/", old.digits, new.digits, findings)
        elif old != new or type(old) is not type(new):
            both = isinstance(old, str) and isinstance(new, str)
            if both and self._is_prose(path):
                _compare_prose(path, str(old), str(new), findings)
                return
            shown = show_difference(str(old), str(new)) if both else (show_value(old), show_value(new))
            findings.differ(path or "/", *shown)
            findings.note = findings.note or (give_hint([(str(old), str(new))]) if both else "")

    def _compare_keys(self, path: str, old: dict[str, Any], new: dict[str, Any], findings: Findings) -> None:
        for key in old.keys() | new.keys() if old.keys() != new.keys() else old:
            place = f"{path}/{shorten_text(key, 80)}"
            if key in old and key in new:
                self._compare(place, old[key], new[key], findings)
            elif (name := self._left_out(place)) is not None:
                findings.ignore(name)
            elif not findings.leaves_out(place):
                findings.differ(place, *(show_value(one[key]) if key in one else "not there" for one in (old, new)))

    def _compare_items(self, path: str, old: list[Any], new: list[Any], findings: Findings) -> None:
        if findings.rule.unordered:
            old, new = sorted(old, key=show_value), sorted(new, key=show_value)
            findings.ignore("order of items")
        for number, (one, other) in enumerate(zip(old, new, strict=False)):
            self._compare(f"{path}/{number}", one, other, findings)
        if len(old) != len(new):
            findings.differ(path or "/", f"{len(old)} items", f"{len(new)} items")


def _compare_prose(path: str, old: str, new: str, findings: Findings) -> None:
    """Compare texts line by line, and the numbers in them as numbers."""
    for number, (one, other) in enumerate(zip_longest(old.split("\n"), new.split("\n")), start=1):
        place = f"{path}, line {number}"
        if one is None or other is None:
            findings.differ(place, *("no more lines" if text is None else shorten_text(text) for text in (one, other)))
        elif one != other and not findings.leaves_out(one):
            compare_lines(place, one, other, findings)
            if findings.likeness == "different":
                findings.note = findings.note or give_hint([(one, other)])


def show_value(value: object) -> str:
    """Return a value as JSON, shortened."""
    return shorten_text(json.dumps(value, default=lambda one: json.loads(one.digits), ensure_ascii=False))


def _read_all(file: BinaryIO) -> bytes:
    content = file.read(MOST + 1)
    if len(content) > MOST:
        raise CannotCompareError(f"it is larger than {MOST >> 20} MiB")
    return content


def load_json(content: bytes) -> object:
    """Return the values of a JSON document, or of lines each of which is one. Raises CannotCompareError."""
    try:
        return _load_json(content)
    except (ValueError, RecursionError) as error:
        lines = content.splitlines()
        if len(lines) > 1 and isinstance(error, ValueError):
            try:
                return [_load_json(line) for line in lines if line.strip()]
            except (ValueError, RecursionError):
                pass
        raise CannotCompareError(f"it is no JSON ({error})") from None


def _load_json(content: bytes) -> object:
    return json.loads(
        content, parse_float=Number, parse_int=Number, parse_constant=Number, object_pairs_hook=_make_object
    )


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise CannotCompareError("an object in it has a key twice")
    return found


def load_toml(content: bytes) -> object:
    """Return the values of a TOML document. Raises CannotCompareError."""
    from rtrace.manifest.reading.toml import read_toml

    try:
        return _Plain().convert(read_toml(content.decode()))
    except ValueError as error:
        raise CannotCompareError(f"it is no TOML ({error})") from None


def load_yaml(content: bytes) -> object:
    """Return the values of YAML documents. Raises CannotCompareError."""
    from rtrace.manifest.reading.values import read_documents

    try:
        return _Plain().convert(read_documents(content.decode(), most=_MOST_VALUES, deepest=_DEEPEST))
    except ValueError as error:
        raise CannotCompareError(f"it is no YAML ({error})") from None


class _Plain:
    """Turns values into those of a tree: numbers by their digits, dates and others by their text."""

    def __init__(self) -> None:
        self._left = _MOST_VALUES

    def convert(self, value: object, depth: int = 0) -> object:
        """Return a value. Raises CannotCompareError where aliases make it larger than any document is."""
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            raise CannotCompareError("it has more values, or deeper ones, than are compared")
        if isinstance(value, dict):
            return {str(key): self.convert(inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.convert(inner, depth + 1) for inner in value]
        if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
            return Number(repr(value))
        return value if value is None or isinstance(value, (str, bool)) else str(value)


def load_xml(content: bytes) -> object:
    """Return an XML document as values, without comments and blanks between elements. Raises CannotCompareError."""
    from xml.etree import ElementTree as ET

    if re.search(rb"<!(?:DOCTYPE[^>]*\[|ENTITY)", content, re.IGNORECASE):
        raise CannotCompareError("it defines entities, which are not expanded")
    try:
        return _list_element(ET.fromstring(content))  # noqa: S314
    except (ET.ParseError, RecursionError, ValueError, LookupError) as error:
        raise CannotCompareError(f"it is no XML ({error})") from None


def load_svg(content: bytes) -> object:
    """Return an SVG document as values, whose identifiers are numbered in the order in which they are given."""
    value = load_xml(content)
    numbers: dict[str, str] = {}
    for key, text in _list_attributes(value):
        if key == "id":
            numbers.setdefault(text, f"id{len(numbers) + 1}")
    reference = re.compile(r"#([^\s)\"']+)")

    def rename(text: str) -> str:
        return reference.sub(lambda match: f"#{numbers.get(match[1], match[1])}", text)

    return _rewrite(value, lambda key, text: numbers.get(text, text) if key == "id" else rename(text))


def _list_element(element: Element, depth: int = 0) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise CannotCompareError(f"it is deeper than {_DEEPEST} levels")
    found: dict[str, Any] = {"name": element.tag}
    if element.attrib:
        found["attributes"] = dict(element.attrib)
    if element.text and element.text.strip():
        found["text"] = element.text
    if element.tail and element.tail.strip():
        found["tail"] = element.tail
    inner = [_list_element(one, depth + 1) for one in element if isinstance(one.tag, str)]
    if inner:
        found["elements"] = inner
    return found


def _list_attributes(value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 -- values of a document
    yield from value.get("attributes", {}).items()
    for inner in value.get("elements", ()):
        yield from _list_attributes(inner)


def _rewrite(value: Any, rewrite: Callable[[str, str], str]) -> dict[str, Any]:  # noqa: ANN401
    found = dict(value)
    if "attributes" in found:
        found["attributes"] = {key: rewrite(key, text) for key, text in found["attributes"].items()}
    if "text" in found:
        found["text"] = rewrite("", found["text"])
    if "elements" in found:
        found["elements"] = [_rewrite(inner, rewrite) for inner in found["elements"]]
    return found


def is_json(head: bytes, _name: bytes) -> bool:
    """Whether a content may be JSON by its first character."""
    return is_text(head) and bool(_MAIN["json"].match(head))


def is_xml(head: bytes, _name: bytes) -> bool:
    """Whether a content begins as XML does."""
    return bool(_MAIN["xml"].match(head))


def is_svg(head: bytes, name: bytes) -> bool:
    """Whether a content is a picture in XML."""
    return is_xml(head, name) and re.search(rb"<svg[\s>]", head) is not None


def is_yaml(_head: bytes, name: bytes) -> bool:
    """Whether a file is called one of YAML: nearly every text could be."""
    return name.endswith((b".yml", b".yaml"))


def is_toml(_head: bytes, name: bytes) -> bool:
    """Whether a file is called one of TOML."""
    return name.endswith(b".toml")


def load_dated_svg(content: bytes) -> object:
    """Return an SVG document without the date at which it was made."""
    return _without_date(load_svg(content))


def _without_date(value: Any) -> dict[str, Any]:  # noqa: ANN401
    found = dict(value)
    if found["name"].endswith("}date"):
        found.pop("text", None)
    if "elements" in found:
        found["elements"] = [_without_date(inner) for inner in found["elements"]]
    return found


JSON = Tree("JSON", is_json, load_json)
SVG = Tree("SVG", is_svg, load_dated_svg, usual="date, generated identifiers, or layout")
XML = Tree("XML", is_xml, load_xml, usual="order of attributes, or layout")
YAML = Tree("YAML", is_yaml, load_yaml)
TOML = Tree("TOML", is_toml, load_toml)
