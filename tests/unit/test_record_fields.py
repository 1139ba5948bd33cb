"""The page on the fields of other tools names each of them, and only paths that a record has."""

import typing

import pytest

from record_fields import NOWORKFLOW, RECIPY, SUMATRA, list_paths, name_fields, read_rows
from rtrace.record.document import Record


@pytest.mark.parametrize(
    "heading,fields", [("Sumatra's record", SUMATRA), ("noWorkflow's trial", NOWORKFLOW), ("recipy's run", RECIPY)]
)
def test_each_field_of_the_tool_is_listed(heading: str, fields: list[str]) -> None:
    """A table has every field that the tool's source code has, and no other."""
    assert name_fields(heading) == set(fields)


def test_what_is_not_kept_has_a_reason() -> None:
    """A row without a path says why."""
    assert [theirs for rows in read_rows().values() for theirs, paths, why in rows if not paths and not why] == []


@pytest.mark.parametrize("path", list_paths())
def test_each_path_is_one_of_a_record(path: str) -> None:
    """The types of the record have each path that the page names."""
    kind: object = Record
    for step in path.split("."):
        assert typing.is_typeddict(kind), path
        hints = typing.get_type_hints(kind)
        kind = hints[step.removesuffix("[]").removesuffix("{}")]
        inner = [one for one in typing.get_args(kind) if one is not type(None)]
        if step.endswith("[]"):
            assert typing.get_origin(kind) is list, path
            kind = inner[0]
        elif step.endswith("{}"):
            assert typing.get_origin(kind) is dict, path
        elif inner and typing.get_origin(kind) not in (list, dict):
            kind = inner[0]
