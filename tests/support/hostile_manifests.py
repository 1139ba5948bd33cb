"""Manifests made from the published schema: one with every field, and one for each string in it that is hostile."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from fuzz.sealing import seal
from fuzz.sections import join
from rtrace.manifest.schema import read_schema

Json: TypeAlias = Any
SCHEMA = json.loads(read_schema())
REFERENCES = ((r"puts/\d/runs/|claims/\d/run$", "/runs/0/id"), (r"claims/\d/outputs/", "outputs/0/name"))
"""Which strings name another one, and that one."""
CANDIDATES = ("text{}", "/path{}", "{:064x}", "https://example.org/{}", "0022")
OWN = {"digests"}
"""Keys that `seal` writes."""
APART = {"environ_besides", "same", "needs"}
"""Keys that go with another value of one beside them only, or name a run above."""
UNFIT = {"/inputs/0/compare"}
"""Where the schema allows what a rule besides it refuses: only what a run writes is compared."""


@dataclass(frozen=True)
class Place:
    """A string in a manifest: where the schema has it, and the value by which it is known."""

    name: str
    value: str

    def make(self, payload: str) -> str:
        """Return a hostile string in its stead; a path stays one."""
        if not self.value.startswith("/"):
            return payload
        payload = payload.replace("/", "")  # a path of rtrace's own form, with names that a file system takes
        return "".join(f"/{payload[start : start + 50]}" for start in range(0, len(payload), 50))


class Sample:
    """A manifest with every field of the schema, in which no two strings are the same but references."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.manifest = self._make(SCHEMA, "")

    def find(self, name: str) -> str:
        """Return the one string whose place in the schema ends with a name."""
        (value,) = (place.value for place in self.places if place.name.endswith(name))
        return value

    def _make(self, schema: Json, where: str) -> Json:
        if "$ref" in schema:
            name = schema["$ref"].removeprefix("#/$defs/")
            return self._make(SCHEMA["$defs"][name], where)
        if "oneOf" in schema:
            return self._make(schema["oneOf"][0], where)
        if "const" in schema or "enum" in schema:
            return schema.get("const", schema.get("enum", [None])[0])
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        match kinds[0]:
            case "object":
                made = {
                    key: self._make(value, f"{where}/{key}")
                    for key, value in schema.get("properties", {}).items()
                    if key not in OWN | APART and f"{where}/{key}" not in UNFIT
                }
                if isinstance(schema.get("additionalProperties"), dict):
                    key = self._string(schema.get("propertyNames", {}), f"{where}/KEY")
                    made[key] = self._make(schema["additionalProperties"], f"{where}/VALUE")
                return made
            case "array":
                items = schema.get("prefixItems", [schema.get("items")] * max(1, schema.get("minItems", 1)))
                return [self._make(item, f"{where}/{number}") for number, item in enumerate(items)]
            case "string":
                return self._string(schema, where)
            case "integer" | "number":
                return schema.get("examples", [1])[0]
            case "boolean":
                return False
        raise AssertionError(f"the schema has a kind that this does not know: {schema}")

    def _string(self, schema: Json, where: str) -> str:
        number = len(self.places)
        fitting = (text.format(number) for text in CANDIDATES)
        value = next(text for text in fitting if re.search(schema.get("pattern", ""), text))
        for reference, name in REFERENCES:
            if re.search(reference, where):
                value = next(place.value for place in self.places if place.name.endswith(name))
        self.places.append(Place(where, value))
        return value


def exchange(found: Json, old: str, new: str) -> Json:
    """Replace a string by another wherever it is, as key and as value."""
    match found:
        case dict():
            return {exchange(key, old, new): exchange(value, old, new) for key, value in found.items()}
        case list():
            return [exchange(value, old, new) for value in found]
        case str() if found == old:
            return new
    return found


def write_yaml(value: Json) -> bytes:
    """Write a value as YAML, which is JSON but for characters beyond the first plane."""
    pair = re.compile(r"\\u(d[89ab]..)\\u(d[c-f]..)")
    low = 0x3FF
    return pair.sub(
        lambda found: f"\\U{0x10000 + ((int(found[1], 16) & low) << 10 | int(found[2], 16) & low):08x}",
        json.dumps(value),
    ).encode()


def make_bundle(manifest: Json, trace: bytes, change: Callable[[Json], Json] = lambda found: found) -> bytes:
    """Make a bundle of a manifest, with an index and results that agree with it, after a change of all three."""
    (elsewhere,), (run,) = manifest["elsewhere"], manifest["runs"]
    common = {"gid": 0, "uid": 0, "mode": 0o755, "mtime_ns": 0}
    entries = [
        {**common, "path": "/", "type": "directory"},
        {
            **common,
            "elsewhere": True,
            "path": elsewhere["path"],
            "sha256": elsewhere["sha256"],
            "size": 1,
            "type": "file",
        },
        {**common, "path": run["workingdir"], "type": "directory"},
    ]
    results = [{"path": manifest["outputs"][0]["path"], "run": run["id"], "type": None}]
    manifest, entries, results = change(manifest), change(entries), change(results)
    entries.sort(key=lambda entry: str(entry["path"]).encode("utf-8", "surrogatepass"))
    return seal(
        join(
            {
                "manifest": b"".join(
                    b"%b: %b\n" % (write_yaml(key), write_yaml(value)) for key, value in manifest.items()
                ),
                "files": b"".join(json.dumps(entry).encode() + b"\n" for entry in entries),
                "results": b"".join(json.dumps(result).encode() + b"\n" for result in results),
                "trace": trace,
                "content": b"content\n",
            }
        )
    )
