"""The record of a run under pseudonyms: nothing in it leads to a person, a machine or a repository."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypeAlias, cast

from rtrace.path_text import to_bytes, to_text
from rtrace.privacy.anonymous.releases import shorten_release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rtrace.manifest.model import Run
    from rtrace.privacy.anonymous.ids import PersonalIds
    from rtrace.privacy.anonymous.names import PersonalNames


Json: TypeAlias = "dict[str, object]"
_CLEARED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("user", ("full_name", "email")),
    ("machine", ("version", "time_zone")),
)
_KEPT_OF_SURROUNDINGS = {"container": ("kind",), "batch": ("system",)}
"""What an identifier of a job or a container, or the name of a queue, would tell is left out."""
_OF_REPOSITORIES = ("commit", "branch", "tag", "committed", "remote", "upstream")
"""By a commit its repository can be found, and by that its author."""
_WITH_DIGESTS = ("inputs", "outputs", "scripts")
_SHORTEST_NAME = 5


def anonymize_record(
    record: Json,
    run: Run | None,
    names: PersonalNames,
    ids: PersonalIds,
    hash_anonymous: Callable[[bytes], str | None],
) -> Json:
    """Return a record with pseudonyms. ``run`` is what the anonymous manifest says of the run.

    ``hash_anonymous`` returns the digest that a file has under pseudonyms, None for one that holds no name.
    """
    for fact in _list_facts(record, *_WITH_DIGESTS):
        digest = hash_anonymous(to_bytes(str(fact.get("path"))))
        if digest is not None:
            fact["sha256"] = digest
            fact.update({key: None for key in ("md5",) if key in fact})
    renamed = cast("Json", rewrite_strings(record, names.replace))
    for key, parts in _CLEARED:
        _get(renamed, key).update(dict.fromkeys(parts))
    machine, user = _get(renamed, "machine"), _get(renamed, "user")
    machine["addresses"] = []
    if isinstance(machine.get("hostname"), str):
        machine["hostname"] = names.replace_hostname(str(machine["hostname"]))
    if isinstance(machine.get("release"), str):
        machine["release"] = shorten_release(str(machine["release"]))
    for gpu in _list_facts(machine, "gpus"):
        gpu["address"] = None
    if isinstance(user.get("name"), str):
        user["name"] = to_text(names.replace_value(to_bytes(str(user["name"]))))
    for key in ("uid", "gid"):
        number = user.get(key)
        user[key] = ids.replace(number) if isinstance(number, int) else None
    groups = user.get("groups")
    user["groups"] = [ids.replace(one) for one in groups if isinstance(one, int)] if isinstance(groups, list) else []
    surroundings = _get(renamed, "surroundings")
    for key, kept in _KEPT_OF_SURROUNDINGS.items():
        part = surroundings.get(key)
        if isinstance(part, dict):
            surroundings[key] = {name: part[name] for name in kept if name in part}
    for repository in _list_facts(renamed, "repositories"):
        repository.update(dict.fromkeys(_OF_REPOSITORIES))
    for part in _list_facts(renamed, "processes", "ranks"):
        if "host" in part:
            part["host"] = None
    # What people say in their own words tells of people: by a first or a last name alone, of a colleague, of a place.
    renamed.update(label=None, reason=None, outcome=None, tags=[], annotations=[])
    renamed.update(project=None, trace=None, imported=None, bundles=[], kept=[])
    if run is not None:
        _follow_manifest(renamed, run)
    return renamed


def find_people(records: Iterable[Json]) -> Iterator[bytes]:
    """Yield the names and addresses by which records call who ran them, as git's configuration has them."""
    for record in records:
        user = _get(record, "user")
        for key in ("full_name", "email"):
            value = user.get(key)
            if isinstance(value, str) and len(value) >= _SHORTEST_NAME:
                yield to_bytes(value)


def rewrite_strings(value: object, rewrite: Callable[[bytes], bytes]) -> object:
    """Return a value of JSON with every string in it rewritten, those that are keys included."""
    if isinstance(value, str):
        return to_text(rewrite(to_bytes(value)))
    if isinstance(value, list):
        return [rewrite_strings(item, rewrite) for item in value]
    if isinstance(value, dict):
        return {str(rewrite_strings(key, rewrite)): rewrite_strings(item, rewrite) for key, item in value.items()}
    return value


def read_text(document: bytes) -> bytes:
    """Return all strings of a document, a line each, with nothing of JSON's escapes in them."""
    return b"\n".join(_yield_strings(json.loads(document)))


def _follow_manifest(record: Json, run: Run) -> None:
    """Let a record say of its environment and its output what the anonymous manifest says."""
    record["environment"] = {to_text(name): to_text(value or b"") for name, value in run.environ}
    for key, output in (("stdout", run.stdout), ("stderr", run.stderr)):
        stream = record.get(key)
        if isinstance(stream, dict) and output is not None:
            stream["sha256"] = output.sha256


def _get(record: Json, key: str) -> Json:
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def _list_facts(record: Json, *keys: str) -> Iterator[Json]:
    for key in keys:
        values = record.get(key)
        yield from (one for one in (values if isinstance(values, list) else ()) if isinstance(one, dict))


def _yield_strings(value: object) -> Iterator[bytes]:
    if isinstance(value, str):
        yield to_bytes(value)
    elif isinstance(value, list):
        for item in value:
            yield from _yield_strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _yield_strings(key)
            yield from _yield_strings(item)
