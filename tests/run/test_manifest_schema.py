"""The published JSON Schema and the reader of the manifest allow the same."""

import json
import subprocess
import tarfile
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from rtrace.manifest.schema import read_schema

SCHEMA = json.loads(read_schema())

VALIDATOR = Draft202012Validator(SCHEMA)


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
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(as_json(yaml.safe_load(text)))]


def test_real_manifests_fit_the_schema(
    rtrace: Callable[..., subprocess.CompletedProcess[bytes]], tmp_path: Path
) -> None:
    """What a trace, a further run and a bundle hold fits, and so does what a person types without quotes."""
    (tmp_path / "in").write_text("hello\n")
    assert rtrace("trace", "sh", "-c", "cat in | sort > out; kill -9 $$").returncode == 137
    assert rtrace("trace", "--continue", "python3", "-c", "import json; open('new', 'w')").returncode == 0
    manifest = tmp_path / ".rtrace/manifest.yml"
    assert complaints(manifest.read_text()) == []
    manifest.write_text(manifest.read_text().replace("argv: [sh,", "argv: [sh, 3.10, no, 007, 1_000, true,"))
    assert complaints(manifest.read_text()) == []
    packed = rtrace("pack")
    assert packed.returncode == 0, packed.stderr
    with tarfile.open(tmp_path / "bundle.rpz") as bundle:
        member = bundle.extractfile("METADATA/manifest.yml")
        assert member is not None
        text = member.read().decode()
    assert "digests:\n" in text
    assert complaints(text) == []


def test_schema_is_printed(rtrace: Callable[..., subprocess.CompletedProcess[bytes]]) -> None:
    """`rtrace schema` writes the schema to standard output."""
    done = rtrace("schema")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout) == SCHEMA
