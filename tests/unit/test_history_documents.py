"""Documents of records: made, written, read with doubt, annotated, merged, compared."""

import json
import random
from typing import Any, cast

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtrace.answers.schema import make_document_schema
from rtrace.errors import RecordError
from rtrace.path_text import to_bytes, to_text
from rtrace.record import RECORD_FORMAT
from rtrace.record.changing.annotating import annotate, make_annotation, merge_annotations
from rtrace.record.changing.merging import merge_records
from rtrace.record.diff import compare_records
from rtrace.record.document import Annotation, Record
from rtrace.record.empty import empty_record
from rtrace.record.ids import is_id, make_id, new_id
from rtrace.record.reading import read_record
from rtrace.record.times import is_time, read_time, write_time
from rtrace.record.writing import write_record
from synthetic_history import make_documents, make_file, make_synthetic


def test_identifiers_are_uuids_of_version_7_in_the_order_of_time() -> None:
    """The version and variant bits are those of RFC 9562, and a later one is greater."""
    import uuid

    made = uuid.UUID(new_id())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert make_id(1000, bytes(10)) < make_id(1001, bytes(10))
    assert make_id(5, b"0123456789abc") == make_id(5, b"0123456789xyz")


@pytest.mark.parametrize("text", ["../../../etc/passwd", "", "01a22b5f-0932-73a9-a5bc-898ddc68cb3", "01A22B5F" * 4])
def test_what_is_no_identifier_is_no_name_of_a_file(text: str) -> None:
    """Only lower-case hexadecimal with hyphens in their places is one."""
    assert not is_id(text)


def test_times_are_microseconds_there_and_back() -> None:
    """A time is written in UTC with six digits and Z, and read as the same number."""
    assert write_time(1_700_000_000_123_456) == "2023-11-14T22:13:20.123456Z"
    assert read_time("2023-11-14T22:13:20.123456Z") == 1_700_000_000_123_456
    assert not is_time("2023-13-14T22:13:20.123456Z")
    assert not is_time("2023-11-14T22:13:20Z")


@given(st.binary(max_size=40))
def test_paths_survive_a_document(path: bytes) -> None:
    """Any byte string is the same after it was written in a document and read out of it."""
    record = empty_record()
    record["main"] = to_text(path)
    data = write_record(record)
    assert data.isascii()
    assert to_bytes(cast("str", read_record(data, "x")["main"])) == path


def test_an_empty_record_fits_the_schema() -> None:
    """The published schema is valid, demands every key, and takes records, empty and full."""
    schema = make_document_schema("record")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(empty_record(), schema)
    for _identifier, document in make_documents(range(2), inputs=0, outputs=2):
        jsonschema.validate(json.loads(document), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**empty_record(), "tags": "none"}, schema)


def test_a_document_is_one_line() -> None:
    """A dump is documents behind each other, so that none may hold a line's end."""
    record = make_synthetic(1)
    record["reason"] = "two\nlines"
    assert write_record(record).count(b"\n") == 1


def test_unknown_keys_stay_and_missing_ones_become_nothing() -> None:
    """A document of a later rtrace of the same format loses nothing here, and one of an earlier lacks nothing."""
    document: dict[str, Any] = json.loads(write_record(make_synthetic(1)))
    document["weather"] = "rain"
    del document["kept"], document["verdict"], document["machine"]["gpus"], document["machine"]["locale"]
    record: Any = read_record(json.dumps(document).encode(), "x")
    assert record["weather"] == "rain"
    assert (record["kept"], record["verdict"]) == ([], None)
    assert (record["machine"]["gpus"], record["machine"]["locale"]) == ([], None)


def spoil(**changes: object) -> bytes:
    """Return a document with keys in dotted notation changed."""
    document: Any = json.loads(write_record(make_synthetic(1)))
    for path, value in changes.items():
        *folders, last = path.split("__")
        place = document
        for name in folders:
            place = place[name]
        place[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "document, reason",
    [
        (b"", "is not a record"),
        (b"[]", "not a JSON object"),
        (b"{}", "does not say its format"),
        (b"\xff\xfe{", "is not a record"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"format": 1, "x": NaN}', "NaN is not JSON"),
        (b'{"format": 1, "x": ' + b"9" * 5000 + b"}", "is not a record"),
        (spoil(format=RECORD_FORMAT + 1), "newer rtrace"),
        (spoil(format="1"), "does not say its format"),
        (spoil(id="../../etc/passwd"), "`id` is not an identifier"),
        (spoil(parent="x"), "`parent` is not an identifier"),
        (spoil(status="fine"), "status is not one of succeeded"),
        (spoil(started="yesterday"), "started is not a time"),
        (spoil(exit_code=1 << 64), "exit_code is not a whole number of 64 bits"),
        (spoil(exit_code=True), "exit_code is not a whole number"),
        (spoil(machine__cores="two"), "machine.cores is not a whole number"),
        (spoil(inputs=[{"path": 1}]), "inputs[0].path is not text"),
        (spoil(outputs=[7]), "outputs[0] is not an object"),
        (spoil(environment={"A": 1}), "environment.A is not text"),
        (spoil(annotations=[{"id": "x", "at": write_time(0)}]), "annotation is not an identifier"),
    ],
)
def test_what_is_no_record_is_refused_in_a_sentence(document: bytes, reason: str) -> None:
    """The sentence names the document and the place in it; nothing else is raised."""
    with pytest.raises(RecordError) as caught:
        read_record(document, "some.json")
    assert "some.json" in str(caught.value)
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 300


def annotation(at: int, **said: Any) -> Annotation:
    """Return an annotation of a time."""
    return {**make_annotation(**said), "at": write_time(at)}


def test_annotations_change_what_they_speak_of() -> None:
    """Reason, outcome, label and tags are those after all annotations; an empty text takes one back."""
    record = make_synthetic(1)
    record["tags"] = ["old", "kept"]
    record = annotate(record, make_annotation(reason="because", outcome="good", add_tags=["new"], remove_tags=["old"]))
    assert (record["reason"], record["outcome"], record["tags"]) == ("because", "good", ["kept", "new"])
    record = annotate(record, make_annotation(outcome="", label="best"))
    assert (record["reason"], record["outcome"], record["label"]) == ("because", None, "best")
    assert len(record["annotations"]) == 2


@given(st.randoms(use_true_random=False))
def test_annotations_come_out_the_same_in_any_order(chance: random.Random) -> None:
    """Two copies that were annotated apart are the same after each was given the other's, whichever comes first."""
    tags = ["a", "b", "c"]
    said = [
        annotation(
            chance.randrange(5),
            reason=chance.choice([None, "x", "y", ""]),
            add_tags=[chance.choice(tags)],
            remove_tags=[chance.choice(tags)],
        )
        for _ in range(6)
    ]
    base = make_synthetic(1)
    one = two = base
    for number, item in enumerate(said):
        if number % 2:
            one = annotate(one, item)
        else:
            two = annotate(two, item)
    joined = merge_records(one, two)
    assert joined == merge_records(two, one) == merge_annotations(base, said)
    assert merge_records(joined, one) == joined


def test_merging_joins_bundles_and_stamps() -> None:
    """What packing, keeping and stamping added to either copy is in both afterwards, once."""
    mine, theirs = make_synthetic(1), make_synthetic(1)
    mine["outputs"] = [make_file("/x/a", "0" * 64)]
    theirs["outputs"] = [{**make_file("/x/a", "0" * 64), "stamped": ["1" * 64]}]
    for record, name in ((mine, "a.rpz"), (theirs, "b.rpz")):
        record["bundles"] = [{"path": name, "identity": None, "run": "run1", "doi": None}]
    joined = merge_records(mine, theirs)
    assert joined == merge_records(theirs, mine)
    assert [bundle["path"] for bundle in joined["bundles"]] == ["a.rpz", "b.rpz"]
    assert joined["outputs"][0]["stamped"] == ["1" * 64]


def change(record: Record, section: str) -> None:
    """Change something of a section."""
    match section:
        case "code":
            record["scripts"] = [
                {
                    "path": "/home/ada/model/simulate.py",
                    "sha256": "1" * 64,
                    "size": 1,
                    "interpreter": None,
                    "main": True,
                    "repository": None,
                    "version": None,
                    "text": None,
                }
            ]
        case "inputs":
            record["inputs"] = [make_file("/home/ada/model/in.csv", "2" * 64)]
        case "outputs":
            record["outputs"] = [make_file("/elsewhere/out.csv", "2" * 64)]
        case "parameters":
            record["parameters"][0]["value"] = 99
        case "packages":
            record["packages"] = [
                {"kind": "pip", "name": "numpy", "version": "2.0", "architecture": None, "origin": None}
            ]
        case "environment":
            record["environment"] = {"OMP_NUM_THREADS": "4"}
        case "machine":
            record["machine"]["hostname"] = "node2"


@pytest.mark.parametrize(
    "section, what",
    [
        ("code", "./simulate.py"),
        ("inputs", "./in.csv"),
        ("outputs", "/elsewhere/out.csv"),
        ("parameters", "--seed"),
        ("packages", "pip numpy"),
        ("environment", "OMP_NUM_THREADS"),
        ("machine", "hostname"),
    ],
)
def test_each_section_tells_its_differences(section: str, what: str) -> None:
    """What changed is told in its section by name, and nothing in the others."""
    before, after = make_synthetic(1), make_synthetic(1)
    assert compare_records(before, after).is_empty
    change(after, section)
    found = {name: [one.what for one in changes] for name, changes in compare_records(before, after).sections.items()}
    assert found.pop(section) == [what]
    assert not any(found.values())


def test_files_in_another_folder_are_compared_from_there() -> None:
    """A run in a copy of the experiment has the same files under other absolute paths."""
    before, after = make_synthetic(1), make_synthetic(1)
    before["outputs"] = [make_file("/home/ada/model/out.csv", "1" * 64)]
    after["outputs"] = [make_file("/tmp/copy/out.csv", "1" * 64)]
    after["workingdir"] = "/tmp/copy"
    assert compare_records(before, after).sections["outputs"] == ()
