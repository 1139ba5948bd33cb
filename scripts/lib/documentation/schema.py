"""The reference of the manifest, from its JSON Schema: a table of keys for each kind of mapping in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from documentation.commands import escape

_REFERENCE = "#/$defs/"

# What the schema calls its smallest parts, in the words of the reference.
_WORDS = {
    "text": "text",
    "bytes": "bytes",
    "path": "path (bytes)",
    "pair": "two texts",
    "integer": "integer",
    "count": "integer from 0 on",
    "digest": "digest",
}


def render_schema(schema: Mapping[str, Any]) -> str:
    """Return a section with a table for each mapping that the schema defines, the manifest itself first."""
    parts = [
        _render_mapping(name, definition) for name, definition in schema["$defs"].items() if "properties" in definition
    ]
    return "\n\n".join(parts)


def _render_mapping(name: str, definition: Mapping[str, Any]) -> str:
    required = definition.get("required", ())
    rows = [
        f"| `{key}` | {_kind(value)} | {'yes' if key in required else ''} | {_meaning(value)} |"
        for key, value in definition["properties"].items()
    ]
    parts = [f"## {_title(name)}"]
    if description := definition.get("description"):
        parts.append(escape(description))
    parts.append("\n".join(["| key | value | required | meaning |", "|---|---|---|---|", *rows]))
    return "\n\n".join(parts)


def _title(name: str) -> str:
    return f"The {name}" if name == "manifest" else name.replace("_", " ").capitalize()


def _meaning(value: Mapping[str, Any]) -> str:
    """Return a key's description, with its examples."""
    text = escape(str(value.get("description", "")))
    examples = [f"`{_yaml(example)}`" for example in value.get("examples", ())]
    return f"{text} For example {', '.join(examples)}." if examples else text


def _yaml(value: object) -> str:
    """Return an example as one line of YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f'"{text}"' if text[:1] in "*&!{[%@" or ": " in text else text


def _kind(value: Mapping[str, Any]) -> str:
    """Return in words which values a part of the schema takes."""
    return " or ".join(dict.fromkeys(_kinds(value)))


def _kinds(value: Mapping[str, Any]) -> Iterator[str]:
    if "$ref" in value:
        name = str(value["$ref"]).removeprefix(_REFERENCE)
        yield _WORDS.get(name) or f"[{name.replace('_', ' ')}](#{name.replace('_', '-')})"
    elif "const" in value:
        yield f"`{_yaml(value['const'])}`"
    elif "enum" in value:
        yield from (f"`{_yaml(item)}`" for item in value["enum"])
    elif "anyOf" in value or "oneOf" in value:
        for part in value.get("anyOf") or value["oneOf"]:
            yield from _kinds(part)
    elif "items" in value:
        yield f"list of {_kind(value['items'])}"
    elif isinstance(value.get("type"), list):
        yield from (str(kind) for kind in value["type"] if kind != "null")
    elif value.get("type") == "object" and isinstance(value.get("additionalProperties"), Mapping):
        yield f"mapping to {_kind(value['additionalProperties'])}"
    else:
        yield {"object": "mapping", "array": "list", "string": "text"}.get(
            str(value.get("type")), str(value.get("type"))
        )
