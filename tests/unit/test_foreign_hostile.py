"""Stores of other tools that somebody prepared: refused in a sentence or read as data, and nothing is executed."""

import dbm.dumb
import json
import os
import pickle
import random
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtrace.errors import RecordError
from rtrace.record.document import Record
from rtrace.record.foreign.registry import find_importer
from rtrace.record.foreign.shelves.berkeley import read_berkeley
from rtrace.record.foreign.shelves.dumb import read_dumb
from rtrace.record.foreign.shelves.gdbm import MAGICS, read_gdbm
from rtrace.record.foreign.source.literals import read_literal
from rtrace.record.foreign.source.pickles import Node, read_pickle
from rtrace.record.foreign.source.plain import Plain
from rtrace.record.foreign.source.problem import Unreadable
from rtrace.record.reading import read_record
from rtrace.record.writing import write_record
from secret_planting import Planter


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """A file that only what was executed makes."""
    path = tmp_path / "canary"
    yield path
    assert not path.exists()


class Call:
    """What a pickle calls when it is read by `pickle`."""

    def __init__(self, called: Callable[..., object], *arguments: object) -> None:
        self._call = called, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self._call


def read(path: Path) -> list[Record]:
    """Import what is at a path, as the command does."""
    importer = find_importer(str(path))
    assert importer is not None
    records = list(importer.read(str(path)))
    for record in records:
        read_record(write_record(record), "it")
    return records


def refusal(path: Path) -> str:
    """Return the sentence with which a path is refused."""
    with pytest.raises(RecordError) as caught:
        read(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert str(path) in sentence
    return sentence


def make_project(folder: Path, **settings: object) -> Path:
    """Make the folder of a project of Sumatra, without a store."""
    (folder / ".smt").mkdir(parents=True)
    project = {"name": "p", "sumatra_version": "0.8.1", **settings}
    (folder / ".smt/project").write_text(json.dumps(project))
    return folder


def make_shelf(folder: Path, value: bytes) -> Path:
    """Make a project of Sumatra whose shelf holds a pickle."""
    make_project(folder)
    with dbm.dumb.open(str(folder / ".smt/records"), "n") as shelf:
        shelf["p"] = value
    return folder


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_calls_nothing(protocol: int, tmp_path: Path, canary: Path) -> None:
    """`os.system` in the place of a record, in every protocol, is a name; the shelf is refused."""
    data = pickle.dumps({"one": Call(os.system, f"touch {canary}")}, protocol)
    assert "holds what is no record of Sumatra" in refusal(make_shelf(tmp_path / "x", data))


def make_state(**state: object) -> bytes:
    """Return the pickle of a shelf with one record, as Sumatra's class would be written."""
    plain = pickle.dumps({"label": "one", "timestamp": "2026-01-01 00:00:00", **state}, 2)
    inner = plain[2:-1]  # between PROTO and STOP
    return b"\x80\x02}U\x03onecsumatra.records\nRecord\n)\x81" + inner + b"bs."


def test_a_call_inside_of_a_record_is_a_name(tmp_path: Path, canary: Path) -> None:
    """A record whose fields call something is read, with what it would have called as text."""
    bait = Call(eval, f"open({str(canary)!r}, 'w')")
    (record,) = read(make_shelf(tmp_path / "x", make_state(reason=bait, parameters=bait, tags=bait, user=bait)))
    assert record["label"] == "one"
    assert record["reason"] is None
    assert "builtins.eval" in json.dumps(record["imported"])


INSTRUCTIONS = {
    "a global": b"cos\nsystem\n(S'touch {}'\ntR.",
    "an instance": b"(S'touch {}'\nios\nsystem\n.",
    "an object": b"(cos\nsystem\nS'touch {}'\no.",
    "a named global": b"\x80\x04\x8c\x02os\x8c\x06system\x93(S'touch {}'\ntR.",
    "a new object": b"\x80\x02cos\nsystem\n(S'touch {}'\nt\x81.",
    "a new object with names": b"\x80\x04cos\nsystem\n(S'touch {}'\nt}\x92.",
    "a state": b"\x80\x02cos\nsystem\n(S'touch {}'\ntb.",
}


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_every_instruction_that_calls_makes_a_node(name: str, canary: Path) -> None:
    """Each way in which a pickle can call something leads to the name of it."""
    value = read_pickle(INSTRUCTIONS[name].replace(b"{}", os.fsencode(canary)))
    assert isinstance(value, Node)
    assert value.name == "os.system"


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "pickle"),
        (b".", "damaged"),
        (b"\x80\x04", "damaged"),
        (b"\x80\x02X\xff\xff\xff\x7fabc.", "damaged"),
        (b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.", "damaged"),
        (b"\x80\x04\x8e\x00\x00\x00\x00\x00\x00\x00\x80abc.", "damaged"),
        (b"\x8b\xff\xff\xff\x7f.", "damaged"),
        (b"\x8a\xff" + b"\x7f" * 255 + b".", "more than 64 bits"),
        (b"P1\n.", "PERSID"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x05\x97.", "NEXT_BUFFER"),
        (b"h\x05.", "damaged"),
        (b"(.", "damaged"),
        (b"a.", "damaged"),
        (b"I" + b"9" * 100_000 + b"\n.", "damaged"),
        (b"\x80\x02]q\x00h\x00u.", "damaged"),
    ],
)
def test_a_broken_pickle_is_refused(data: bytes, reason: str) -> None:
    """Lengths beyond the end, marks without an end, places of nothing, and instructions that no record needs."""
    with pytest.raises(Unreadable, match=reason):
        read_pickle(data)


def test_shared_values_are_not_multiplied_without_end() -> None:
    """Ten lists, each twice ten times in the next, are small as a pickle and 10^20 values as JSON: refused."""
    value: list[object] = ["ha"]
    for _ in range(20):
        value = [value] * 10
    with pytest.raises(Unreadable, match="too many values"):
        Plain().convert(read_pickle(pickle.dumps(value)))


def test_a_shared_text_is_not_multiplied_without_end() -> None:
    """A megabyte that ten thousand runs share is small as a pickle, and ten gigabytes as documents: refused."""
    with pytest.raises(Unreadable, match="too much text"):
        Plain().convert(read_pickle(pickle.dumps(["x" * (1 << 20)] * 10_000)))


def test_what_holds_itself_says_so() -> None:
    """A list in itself is cut where it begins again, and a deep one is refused."""
    ring: list[object] = [1]
    ring.append(ring)
    assert Plain().convert(read_pickle(pickle.dumps(ring))) == [1, {"again": "list"}]
    with pytest.raises(Unreadable, match="nested too deeply"):
        Plain().convert(read_pickle(b"]" * 5000 + b"a" * 4999 + b"."))


def damage(data: bytes, chance: random.Random) -> bytes:
    """Return bytes of which some are others."""
    damaged = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    return bytes(damaged[: chance.choice([len(damaged), chance.randrange(1, len(damaged))])])


@given(st.randoms(use_true_random=False))
def test_a_damaged_pickle_is_refused_or_read(chance: random.Random) -> None:
    """Whatever byte is another one, nothing but the reason is raised."""
    whole = make_state(tags={"a"}, parameters={"n": [1, 2.5, None]}, stdout_stderr="text" * 20, diff=b"bytes")
    with suppress(Unreadable):
        Plain().convert(read_pickle(damage(whole, chance)))


def make_gdbm(items: dict[bytes, bytes]) -> bytes:
    """Return a file of gdbm with one bucket: header, directory, bucket, then keys and values."""
    data = bytearray(4096)
    struct.pack_into("<IiQiiii", data, 0, 0x13579ACF, 512, 512, 64, 3, 1024, 30)
    struct.pack_into("<8Q", data, 512, *[1024] * 8)
    for number in range(30):
        struct.pack_into("<i", data, 1024 + 112 + 24 * number, -1)
    for number, (key, value) in enumerate(items.items()):
        struct.pack_into("<i4sQii", data, 1024 + 112 + 24 * number, 7, key[:4], len(data), len(key), len(value))
        data += key + value
    return bytes(data)


def make_berkeley(items: dict[bytes, bytes]) -> bytes:
    """Return a hash database of Berkeley DB with one page of items, and an overflow page for each value."""
    meta = bytearray(512)
    struct.pack_into("<IIIBB", meta, 12, 0x00061561, 9, 512, 0, 8)
    page, rest = bytearray(512), bytearray()
    end, places = 512, []
    for number, (key, value) in enumerate(items.items()):
        for item in (b"\x01" + key, b"\x03\0\0\0" + struct.pack("<II", 2 + number, len(value))):
            end -= len(item)
            page[end : end + len(item)] = item
            places.append(end)
        overflow = bytearray(512)
        struct.pack_into("<IIIHHBB", overflow, 8, 2 + number, 0, 0, 1, len(value), 0, 7)
        overflow[26 : 26 + len(value)] = value
        rest += overflow
    struct.pack_into("<IIIHHBB", page, 8, 1, 0, 0, len(places), end, 0, 13)
    struct.pack_into(f"<{len(places)}H", page, 26, *places)
    return bytes(meta + page + rest)


ITEMS = {b"p": b"value" * 20, b"another": b"", b"k" * 30: b"\0\xff"}


def test_whole_shelves_are_read() -> None:
    """What is made here is read, so that what follows damages the right thing."""
    assert dict(read_gdbm(make_gdbm(ITEMS))) == ITEMS
    assert dict(read_berkeley(make_berkeley(ITEMS))) == ITEMS


@given(st.randoms(use_true_random=False), st.sampled_from(["gdbm", "berkeley", "dumb"]))
def test_a_damaged_shelf_is_refused_or_read(chance: random.Random, kind: str) -> None:
    """Whatever byte is another one, a reader ends, and nothing but the reason is raised."""
    with suppress(Unreadable):
        if kind == "gdbm":
            list(read_gdbm(damage(make_gdbm(ITEMS), chance)))
        elif kind == "berkeley":
            list(read_berkeley(damage(make_berkeley(ITEMS), chance)))
        else:
            list(read_dumb(damage(b"'p', (0, 5)\n'q', (512, 10)\n", chance), b"x" * 1000))


def test_a_shelf_does_not_lead_in_a_circle() -> None:
    """A chain of pages that comes back to itself, and values that lie on one another without end, are refused."""
    ring = bytearray(make_berkeley({b"p": b"value"}))
    struct.pack_into("<I", ring, 2 * 512 + 16, 2)
    with pytest.raises(Unreadable, match="circle"):
        list(read_berkeley(bytes(ring)))
    with pytest.raises(Unreadable, match="beyond its end"):
        list(read_gdbm(make_gdbm({b"%d" % number: b"" for number in range(30)})[:4096] + b""))


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch {}')",
        "{'a': open('{}', 'w')}",
        "[x for x in (1,)]",
        "f'{open(1)}'",
        "1 + 1",
        "'a' 'b' % ()",
        "{1: 2, 3}",
        "[" * 60 + "]" * 60,
        "(1",
        "'never closed",
        "'" + "\\N{nothing}" + "'",
        "",
    ],
)
def test_a_literal_is_no_program(text: str, canary: Path) -> None:
    """Calls, comprehensions, formatted texts and sums are refused, and so is what is nested or broken."""
    with pytest.raises(Unreadable):
        read_literal(text.replace("{}", str(canary)))


LEAVES = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.text()
PLAIN = st.recursive(
    LEAVES | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_literals_and_pickles_come_back(value: object) -> None:
    """What `repr` and `pickle` write of plain data is read as it was."""
    assert read_literal(repr(value)) == value
    assert read_pickle(pickle.dumps(value)) == value


TABLES = """
CREATE TABLE django_store_project (id TEXT, name TEXT, description TEXT);
CREATE TABLE django_store_executable (id INTEGER, path TEXT, name TEXT, version TEXT, options TEXT);
CREATE TABLE django_store_repository (id INTEGER, type TEXT, url TEXT, upstream TEXT);
CREATE TABLE django_store_launchmode (id INTEGER, type TEXT, parameters TEXT);
CREATE TABLE django_store_datastore (id INTEGER, type TEXT, parameters TEXT);
CREATE TABLE django_store_parameterset (id INTEGER, type TEXT, content TEXT);
CREATE TABLE django_store_dependency (id INTEGER, name TEXT, path TEXT, version TEXT, diff TEXT, module TEXT);
CREATE TABLE django_store_platforminformation (id INTEGER, network_name TEXT);
CREATE TABLE django_store_datakey (id INTEGER, path TEXT, digest TEXT, creation TEXT, metadata TEXT,
    output_from_record_id INTEGER);
CREATE TABLE django_store_record_dependencies (id INTEGER, record_id INTEGER, dependency_id INTEGER);
CREATE TABLE django_store_record_platforms (id INTEGER, record_id INTEGER, platforminformation_id INTEGER);
CREATE TABLE django_store_record_input_data (id INTEGER, record_id INTEGER, datakey_id INTEGER);
CREATE TABLE django_store_record (db_id INTEGER, label TEXT, timestamp TEXT, main_file TEXT, launch_mode_id INTEGER,
    datastore_id INTEGER, executable_id INTEGER, parameters_id INTEGER, tags TEXT, diff TEXT, version TEXT,
    script_arguments TEXT, input_datastore_id INTEGER, repository_id INTEGER, project_id TEXT, user TEXT, reason TEXT);
INSERT INTO django_store_record (db_id, label, timestamp, launch_mode_id, datastore_id, parameters_id)
    VALUES (1, 'one', '2026-01-01 00:00:00', 1, 1, 1);
INSERT INTO django_store_datastore VALUES (1, 'FileSystemDataStore', '{''root'': ''/data''}');
"""


ENDLESS_VIEW = """
DROP TABLE django_store_project;
CREATE VIEW django_store_project AS WITH RECURSIVE c(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM c)
    SELECT id, id AS name, id AS description FROM c;
"""
COMPUTED_COLUMN = """
DROP TABLE django_store_project;
CREATE TABLE django_store_project (id TEXT, name TEXT AS (hex(zeroblob(1000000000))));
"""


def make_database(path: Path, script: str) -> None:
    """Make an SQLite database."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(script)


@pytest.mark.parametrize(
    "change, reason",
    [
        ("INSERT INTO django_store_launchmode VALUES (1, 'x', '__import__(''os'').system(''touch {}'')')", "calls"),
        ("INSERT INTO django_store_datakey VALUES (1, 'a', '', '', '{\"a\":', 1)", "not JSON"),
        ("INSERT INTO django_store_datakey VALUES (1, 'a', '', '', '" + "[" * 100_000 + "', 1)", "nested too deeply"),
        (ENDLESS_VIEW, "no table"),
        (COMPUTED_COLUMN, "computed"),
        ("DROP TABLE django_store_datakey", "no table"),
    ],
)
def test_a_prepared_django_store_is_refused(change: str, reason: str, tmp_path: Path, canary: Path) -> None:
    """Programs in the place of settings, views that never end, columns that are computed: one sentence each."""
    folder = make_project(tmp_path / "x")
    make_database(folder / ".smt/records", TABLES + change.replace("{}", str(canary)))
    assert reason in refusal(folder)


def test_triggers_and_odd_values_are_harmless(tmp_path: Path) -> None:
    """A trigger never fires, for nothing is written; numbers, nulls and bytes in the place of text are no values."""
    folder = make_project(tmp_path / "x")
    odd = "UPDATE django_store_record SET tags = 7, diff = x'ff00', reason = 1e999, user = NULL, timestamp = -1;"
    trigger = "CREATE TRIGGER t AFTER UPDATE ON django_store_record BEGIN DELETE FROM django_store_record; END;"
    make_database(folder / ".smt/records", TABLES + odd + trigger)
    before = (folder / ".smt/records").read_bytes()
    (record,) = read(folder)
    assert (record["label"], record["tags"], record["started"], record["reason"]) == ("one", ["7"], None, "Inf")
    assert record["repositories"][0]["diff"] == "\udcff\0"
    assert (folder / ".smt/records").read_bytes() == before


@pytest.mark.parametrize("made", ["link", "fifo", "text", "damaged", "nothing", "address"])
def test_what_is_no_store_is_refused(made: str, tmp_path: Path) -> None:
    """A symbolic link, a pipe that nobody writes to, a text, a cut database, an address: one sentence, at once."""
    address = {"record_store": {"db_file": "postgresql://ada:hunter2secret@db.example.org/smt"}}
    folder = make_project(tmp_path / "x", **(address if made == "address" else {}))
    store = folder / ".smt/records"
    if made == "link":
        make_database(tmp_path / "elsewhere", TABLES)
        store.symlink_to(tmp_path / "elsewhere")
    elif made == "fifo":
        os.mkfifo(store)
    elif made == "text":
        store.write_text("This is no store.")
    elif made == "damaged":
        make_database(store, TABLES)
        store.write_bytes(store.read_bytes()[:5000])
    sentence = refusal(folder)
    assert "smt export" in sentence
    assert "hunter2secret" not in sentence


def run_of_recipy(**fields: object) -> str:
    """Return a log of recipy with one run."""
    run = {"unique_id": "386a770d", "date": "{TinyDate}:2026-01-01T00:00:00", "script": "/x.py", **fields}
    return json.dumps({"_default": {"1": run}})


@pytest.mark.parametrize(
    "text, reason",
    [
        ('{"_default": {"1": {"unique_id": ' + "[" * 100_000, "nested too deeply"),
        ('{"_default": {"1": {"unique_id": ' + "[" * 200 + "]" * 200 + "}}}", "nested too deeply"),
        ('{"_default": {"1": {"unique_id": "x"', "not JSON"),
        ('{"_default": {"1": {"unique_id": "\xff"}}}', "not JSON"),
    ],
)
def test_a_prepared_log_of_recipy_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    """A nesting that no stack holds, a cut file, a file that is not UTF-8."""
    log = tmp_path / "recipyDB.json"
    log.write_bytes(text.encode("latin-1"))
    assert reason in refusal(log)


def test_bait_in_a_log_of_recipy_is_text(tmp_path: Path, canary: Path) -> None:
    """Programs, numbers of 10,000 digits, halves of characters and types of every kind are read as data."""
    bait = f"__import__('os').system('touch {canary}')"
    log = tmp_path / "recipyDB.json"
    fields = {"inputs": [bait, [bait], 7, None], "outputs": {"a": 1}, "libraries": [bait, 7], "exception": bait}
    text = run_of_recipy(author="\ud800\udc80\ud912", command_args=f"'{bait}", warnings=[{"lineno": bait}], **fields)
    log.write_text(text.replace('"script"', f'"digits": {"9" * 10_000}, "infinite": [1e999, NaN], "script"'))
    (record,) = read(tmp_path)
    assert record["main"] == "/x.py"
    assert [fact["path"] for fact in record["inputs"]] == [bait, bait, "", ""]
    assert record["outputs"] == []


def test_secrets_of_a_log_are_taken_out(tmp_path: Path) -> None:
    """A token that the command line names is nowhere in the record, nor is a password in any address."""
    token = Planter().make_up("gh~p_{36}")[0]
    url = "see https://ada:hunter2secret@example.org/x?y=1 there"
    log = tmp_path / "recipyDB.json"
    log.write_text(run_of_recipy(command="/bin/python", command_args=f"--token={token}", notes=f"{url} and {token}"))
    (record,) = read(log)
    document = write_record(record).decode()
    assert token not in document
    assert "hunter2secret" not in document
    assert record["outcome"] == "see https://example.org/x there and redacted"
    assert "outcome: password in a URL" in record["redacted"]


@pytest.mark.parametrize("field", ["notes", "description", "diff", "traceback"])
def test_a_secret_in_one_text_alone_is_taken_out(field: str, tmp_path: Path) -> None:
    """Whichever text has it, one of the record's own or one that is under `imported` alone, it is nowhere."""
    token = Planter().make_up("gh~p_{36}")[0]
    said = {"exception": {"traceback": f"x {token} y"}} if field == "traceback" else {field: f"x {token} y"}
    log = tmp_path / "recipyDB.json"
    log.write_text(run_of_recipy(gitrepo="/x", **said))
    (record,) = read(log)
    assert token not in write_record(record).decode()
    assert record["redacted"]


def test_files_that_a_log_names_are_not_told(tmp_path: Path) -> None:
    """A log that names a private file, a pipe or a link learns nothing of it: only what has its SHA-1 is digested."""
    (tmp_path / "private").write_text("secret")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("private")
    paths = [str(tmp_path / name) for name in ("private", "pipe", "link", "absent")]
    log = tmp_path / "recipyDB.json"
    log.write_text(run_of_recipy(inputs=[[path, "a" * 40] for path in [*paths, "relative"]]))
    (record,) = read(log)
    assert [fact["sha256"] for fact in record["inputs"]] == [None] * 5
    assert [(fact["problem"] or "").split("; ")[1] for fact in record["inputs"]] == [
        "it has changed since",
        "it is not an ordinary file",
        "it is a symbolic link",
        "it is not there any more",
        "its place is not known",
    ]


TRIALS = """
CREATE TABLE trial (id TEXT, script TEXT, start TEXT, finish TEXT, command TEXT, path TEXT, status TEXT,
    main_id INTEGER);
CREATE TABLE environment_attr (trial_id TEXT, id INTEGER, name TEXT, value TEXT);
CREATE TABLE file_access (trial_id TEXT, id INTEGER, name TEXT, mode TEXT, content_hash_before TEXT,
    content_hash_after TEXT);
CREATE TABLE argument (trial_id TEXT, id INTEGER, name TEXT, value TEXT);
INSERT INTO trial VALUES ('t', 's.py', '2026-01-01 00:00:00', 'never', 'run s.py', '/nowhere', 'finished', 1);
"""


def make_trials(folder: Path, change: str) -> Path:
    """Make a folder of noWorkflow."""
    (folder / ".noworkflow").mkdir(parents=True)
    make_database(folder / ".noworkflow/db.sqlite", TRIALS + change)
    return folder


def test_bait_in_a_database_of_noworkflow_is_text(tmp_path: Path, canary: Path) -> None:
    """Programs where values are, a zone and a digest that lead out of their folders, secrets in variables."""
    change = f"""
    INSERT INTO argument VALUES ('t', 1, 'message', '__import__("os").system("touch {canary}")');
    INSERT INTO argument VALUES ('t', 2, 'argv', '[{"[" * 500}');
    INSERT INTO environment_attr VALUES ('t', 1, 'TZ', '../../../../etc/passwd');
    INSERT INTO environment_attr VALUES ('t', 2, 'API_TOKEN', 'hunter2secret');
    INSERT INTO environment_attr VALUES ('t', 3, 'DB_PASSWORD', 'pw1');
    INSERT INTO file_access VALUES ('t', 1, '../../etc/passwd', 'r', '../../../../../etc/passwd', NULL);
    """  # noqa: S608 -- it is bait
    (record,) = read(make_trials(tmp_path / "x", change))
    assert record["reason"] is None
    assert record["arguments"] == ["python", "run", "s.py"]
    assert record["inputs"][0]["sha256"] is None
    assert b"hunter2secret" not in write_record(record)
    assert b"pw1" not in write_record(record)
    places = {place.partition(":")[0] for place in record["redacted"]}
    assert places == {"variable API_TOKEN", "environment.DB_PASSWORD", "imported.environment.DB_PASSWORD"}


def test_a_name_that_is_there_twice_keeps_both_values(tmp_path: Path) -> None:
    """The variable HOSTNAME and the name of the machine are in one table of noWorkflow: neither is lost."""
    change = """
    INSERT INTO environment_attr VALUES ('t', 1, 'HOSTNAME', 'of the variable');
    INSERT INTO environment_attr VALUES ('t', 2, 'HOSTNAME', 'of the machine');
    """
    (record,) = read(make_trials(tmp_path / "x", change))
    assert record["machine"]["hostname"] == "of the machine"
    assert (record["imported"] or {})["environment_besides"] == {"HOSTNAME": "of the variable"}


@pytest.mark.parametrize(
    "change, reason",
    [
        (
            "DROP TABLE argument; CREATE TABLE argument (trial_id TEXT, name TEXT, value AS (zeroblob(1 << 30)))",
            "computed",
        ),
        ("INSERT INTO argument VALUES ('t', 1, 'x', zeroblob(70000000))", "SQLite says"),
    ],
)
def test_a_prepared_database_of_noworkflow_is_refused(change: str, reason: str, tmp_path: Path) -> None:
    """Columns that are computed, and values larger than any text of a script."""
    assert reason in refusal(make_trials(tmp_path / "x", change))


def test_a_long_table_stays_in_the_database(tmp_path: Path) -> None:
    """Of a trial with more rows than a record takes, the table stays where it is, and a notice says so."""
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200001)"
    made = "CREATE TABLE evaluation (trial_id TEXT, id INTEGER); INSERT INTO evaluation"
    change = f"{made} {many} SELECT 't', i FROM n"  # noqa: S608
    (record,) = read(make_trials(tmp_path / "x", change))
    assert [notice["what"].split(" of this")[0] for notice in record["notices"] if notice["advice"]] == [
        "the table evaluation of noWorkflow has 200001 rows"
    ]


@pytest.mark.parametrize("name", ["nothing", "folder", "text", "json", "pipe", "database"])
def test_what_is_of_no_tool_is_nobodys(name: str, tmp_path: Path) -> None:
    """An absent path, a folder, a text, JSON and a database of something else, a pipe: no importer."""
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    elif name == "text":
        path.write_text("[1, 2]")
    elif name == "json":
        path.write_text('{"_default": {"1": {"name": "of another program"}}}')
    elif name == "pipe":
        os.mkfifo(path)
    elif name == "database":
        make_database(path, "CREATE TABLE t (a)")
    assert find_importer(str(path)) is None


def test_a_pickle_of_python_2_is_read() -> None:
    """Texts of Python 2 are bytes; its times and old classes are read all the same."""
    when = b"U\x04whencdatetime\ndatetime\n(U\x0a\x07\xea\x01\x02\x03\x04\x05\x00\x00\x00tRs"
    old = b"U\x03oldccopy_reg\n_reconstructor\n(csumatra.x\nY\nc__builtin__\nobject\nNtR(dU\x01aI1\nsbs"
    assert Plain().convert(read_pickle(b"\x80\x02}" + when + old + b".")) == {
        "when": "2026-01-02 03:04:05+00:00",
        "old": {"type": "sumatra.x.Y", "a": 1},
    }


def test_a_place_beyond_all_memory_is_refused() -> None:
    """A file of gdbm names its buckets by numbers of 64 bits."""
    header = struct.pack("<IiQiiii", MAGICS[0], 4096, 64, 8, 0, 1024, 1)
    data = header.ljust(64, b"\0") + struct.pack("<Q", (1 << 64) - 1) + bytes(4096)
    with pytest.raises(Unreadable, match="ends too early"):
        list(read_gdbm(data))
