"""How an output is compared, from its YAML: whoever verifies a bundle obeys it, and anybody may have written it."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

from rtrace.manifest.model import Comparison
from rtrace.manifest.reading import keys
from rtrace.manifest.reading.fields import Fields, items, number, string

if TYPE_CHECKING:
    from rtrace.manifest.reading.nodes import Node

MOST_IGNORED, LONGEST_IGNORED = 64, 1000
"""How many expressions there may be for one output, and the characters of each."""
ORDERS = {"kept": False, "any": True}


def read_comparison(node: Node) -> Comparison:
    """Read how an output is compared."""
    fields = Fields(node, keys.COMPARISON, "a comparison")
    none: tuple[str, ...] = ()
    ignored = fields.take_or("ignore", items(_expression), none)
    if len(ignored) > MOST_IGNORED:
        raise node.place.error(f"`ignore` of an output takes {MOST_IGNORED} expressions")
    return Comparison(
        tolerance=fields.take_or("tolerance", _tolerance, None),
        absolute=fields.take_or("absolute", _distance, None),
        ignore=ignored,
        unordered=fields.take_or("order", _order, default=False),
    )


def _tolerance(node: Node) -> float:
    value = _distance(node)
    if value > 1:
        raise node.place.error("a tolerance is relative: at most 1, as 1e-6; `absolute` takes any distance")
    return value


def _distance(node: Node) -> float:
    value = number(node)
    if value < 0:
        raise node.place.error("a number that is not negative is expected here")
    return value


def _expression(node: Node) -> str:
    """Read a regular expression. How long one takes is limited where it is used."""
    text = string(node)
    if not text:
        raise node.place.error("a regular expression under `ignore` is empty; it would leave out everything")
    if len(text) > LONGEST_IGNORED:
        raise node.place.error(f"a regular expression has at most {LONGEST_IGNORED} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what may change in a later Python
            re.compile(text)
    except (re.error, OverflowError, RecursionError, ValueError) as error:
        raise node.place.error(
            f"this is no regular expression of Python: {error}; a \\ takes a sign as it is"
        ) from None
    return text


def _order(node: Node) -> bool:
    word = string(node)
    if word not in ORDERS:
        raise node.place.error("kept or any is expected here: whether lines, rows or items may come in any order")
    return ORDERS[word]
