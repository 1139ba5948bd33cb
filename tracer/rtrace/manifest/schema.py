"""The JSON Schema of the manifest, for editors and for other readers."""

from __future__ import annotations

from importlib.resources import files


def read_schema() -> str:
    """Return the schema as JSON (draft 2020-12). It allows what `load` takes, as far as a schema can tell."""
    return (files("rtrace.manifest") / "manifest.schema.json").read_text("utf-8")
