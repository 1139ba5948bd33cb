"""The published JSON Schema and the reader of the manifest allow the same."""

import json
from base64 import b64encode
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bundle_samples import MANIFEST
from manifests import manifests
from rtrace.errors import ManifestError
from rtrace.manifest.model import Manifest
from rtrace.manifest.reading import keys
from rtrace.manifest.reading.load import load
from rtrace.manifest.render import render
from rtrace.manifest.schema import read_schema
from whole_manifest import WHOLE

SCHEMA = json.loads(read_schema())
VALIDATOR = Draft202012Validator(SCHEMA)
LEVELS = {name.lower(): value for name, value in vars(keys).items() if name.isupper()}

# libyaml's own, where PyYAML was built with it: the same answers, five times as fast.
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def read_yaml(text: str) -> Any:
    """Return what another reader of YAML takes a text for."""
    return yaml.load(text, Loader)  # noqa: S506 -- either loader is a safe one


TREE = read_yaml(render(WHOLE))


def as_json(value: Any) -> Any:
    """Return what YAML holds as JSON can hold it: bytes are base64."""
    match value:
        case bytes():
            return b64encode(value).decode()
        case dict():
            return {as_json(key): as_json(item) for key, item in value.items()}
        case list():
            return [as_json(item) for item in value]
        case _:
            return value


def complaints(text: str) -> list[str]:
    """Return what the schema finds wrong in a manifest, as another reader of YAML takes it."""
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(as_json(read_yaml(text)))]


def refusal(text: str) -> str | None:
    """Return why rtrace refuses a manifest; None when it takes it."""
    try:
        load(text)
    except ManifestError as error:
        return str(error)
    return None


def test_the_schema_is_one() -> None:
    """It keeps the rules of its draft, and tells about every key."""
    Draft202012Validator.check_schema(SCHEMA)
    described = [
        (level, key)
        for level in LEVELS
        for key, value in SCHEMA["$defs"][level]["properties"].items()
        if not value.get("description", "").endswith(".")
    ]
    assert described == []


@pytest.mark.parametrize("level", sorted(LEVELS))
def test_schema_and_reader_know_the_same_keys(level: str) -> None:
    """Each mapping of the manifest has the same keys in the same order in both, and no others."""
    definition = SCHEMA["$defs"][level]
    assert tuple(definition["properties"]) == LEVELS[level]
    assert definition["additionalProperties"] is False


def test_every_level_is_in_the_schema() -> None:
    """A mapping that the reader knows is described, and the other way round."""
    closed = {name for name, value in SCHEMA["$defs"].items() if value.get("additionalProperties") is False}
    assert closed == set(LEVELS)


def places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the place of everything in a tree."""
    yield place
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*place, key))


PLACES = [place for place in places(TREE) if place]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_what_may_be_absent_is_the_same_in_both(place: tuple[str | int, ...]) -> None:
    """Anything taken out of a manifest is missed by both or by neither."""
    tree, holder = open_tree(place)
    del holder[place[-1]]
    agree(tree)


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(PLACES),
    st.sampled_from([-1, 0, 1, 1.5, True, "", "x", "/x", "a" * 64, [], ["x"], ["x", "y"], [1, 2], {}, {"x": "y"}])
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
)
def test_what_is_wrong_is_wrong_for_both(place: tuple[str | int, ...], value: Any) -> None:
    """Any value anywhere in a manifest is refused by both or by neither."""
    tree, holder = open_tree(place)
    holder[place[-1]] = value
    agree(tree)


@settings(deadline=None)
@given(st.sampled_from([place for place in PLACES if isinstance(place[-1], str)]), st.text("abcdefgh_", min_size=1))
def test_unknown_keys_are_refused_by_both(place: tuple[str | int, ...], name: str) -> None:
    """A key under another name is unknown to both."""
    tree, holder = open_tree(place)
    holder[name] = holder.pop(place[-1])
    agree(tree)


def open_tree(place: tuple[str | int, ...]) -> tuple[Any, Any]:
    """Return the whole manifest as a tree, and in it what holds a place."""
    tree = holder = deepcopy(TREE)
    for key in place[:-1]:
        holder = holder[key]
    return tree, holder


def agree(tree: Any) -> None:
    """Check that schema and reader say the same of a tree."""
    text = yaml.dump(tree, Dumper=Dumper, sort_keys=False, allow_unicode=True)
    refused, wrong = refusal(text), complaints(text)
    if refused is not None and not wrong:  # what compares two places is beyond a schema
        across = ("names the run", "twice", "regular expression of Python", "names the output", "is not of its run")
        assert any(words in refused for words in across), text
    else:
        assert bool(refused) == bool(wrong), (refused, wrong, text)


@settings(deadline=None)
@given(manifests())
def test_any_manifest_fits_the_schema(manifest: Manifest) -> None:
    """Whatever bytes and numbers it is made of, another reader of YAML finds a manifest that fits."""
    assert complaints(render(manifest)) == []


@pytest.mark.parametrize("word", ["~", ""])
def test_nothing_is_no_text(word: str) -> None:
    """A scalar that says nothing is refused by both where text is wanted."""
    text = render(MANIFEST).replace("hostname: box", f"hostname: {word}")
    assert complaints(text) == ["$.runs[0].hostname: None is not of type 'string', 'number', 'boolean'"]
    assert "a string is expected here" in (refusal(text) or "")
