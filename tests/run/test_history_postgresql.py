"""A history in PostgreSQL: a real server, two writers, and a server that goes away."""

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from observing import run_rtrace
from postgresql_server import PASSWORD, Server, serve_postgresql
from rtrace.errors import BusyError, HistoryError, NoSuchRunError, UsageError
from rtrace.record.changing.annotating import annotate, make_annotation
from rtrace.record.history.database import DatabaseHistory
from rtrace.record.history.folder import FolderHistory
from rtrace.record.history.opening import open_history
from rtrace.record.query import Query
from rtrace.record.stores.postgresql_address import read_address
from rtrace.record.stores.postgresql_connection import Database
from rtrace.record.stores.postgresql_index import FILLING, SCHEMA_VERSION
from synthetic_history import FIRST, ODD_NAMES, make_file, make_parameters, make_synthetic, name_output

pytestmark = [pytest.mark.requires("postgresql"), pytest.mark.xdist_group("postgresql")]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that all tests of the module share."""
    with serve_postgresql() as made:
        yield made


@pytest.fixture
def history(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[DatabaseHistory]:
    """An empty history in it, which is that of the commands that the test runs."""
    monkeypatch.setenv("RTRACE_HISTORY", server.url)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = DatabaseHistory(server.url)
    made._database.ask("DROP SCHEMA IF EXISTS rtrace CASCADE")
    yield made
    made._database.close()


def fill(history: DatabaseHistory) -> None:
    """Add three runs that differ in everything that can be asked."""
    record = make_synthetic(1)
    record["tags"], record["label"] = ['q"u,o{}te\\', "calm"], "first"
    record["reason"] = "it's preliminary\n\t\\N of the tides \udcff\x00"
    history.add(record)
    record = make_synthetic(2)
    record["outputs"] = [make_file(*name_output(2, 0)), make_file("/w/plot_a.png", "a" * 64)]
    record["outputs"][1]["stamped"] = ["b" * 64]
    record["parameters"] += make_parameters({"model.depth": "shallow_water", "nudged": True})
    history.add(record)
    record = make_synthetic(9)
    record["outcome"] = "diverged at step 40"
    history.add(record)


QUERIES = [
    ({}, [9, 2, 1]),
    ({"limit": 1, "offset": 1}, [2]),
    ({"tag": 'q"u,o{}te\\'}, [1]),
    ({"tag": "cal"}, []),
    ({"project": "project2"}, [9, 2]),
    ({"since": FIRST + 2 * 60_000_000, "until": FIRST + 9 * 60_000_000}, [2]),
    ({"status": "failed", "kind": "run"}, [9]),
    ({"file": name_output(2, 0)[0].encode()}, [2]),
    ({"file": b"plot_a.png"}, [2]),
    ({"digest": "b" * 64}, [2]),
    ({"digest": "c" * 64}, []),
    ({"parameters": (("--seed", "2"), ("--rate", "0.020"))}, [2]),
    ({"text": '"of the tides"'}, [1]),
    ({"text": '"tides the of"'}, []),
    ({"text": "prelim*"}, [1]),
    ({"text": "plot_a.png"}, [2]),
    ({"text": "diverged 40 simulate.py"}, [9]),
    ({"text": '"depth shallow"'}, [2]),
    ({"text": "nudged true"}, [2]),
    ({"text": "\" ' OR ( * & | ! :*"}, []),
    ({"tag": "odd \udcff"}, []),
    ({"project": "odd \udcff"}, []),
    ({"parameters": (("odd \udcff", "\udcff"),)}, []),
    ({"file": b"/odd \xff", "text": "odd\udcff"}, []),
]


@pytest.mark.parametrize("rebuilt", [False, True], ids=["added", "rebuilt"])
def test_filters_find_what_they_find_in_a_folder(history: DatabaseHistory, *, rebuilt: bool) -> None:
    """The same questions have the same answers, before and after the tables were made again."""
    fill(history)
    if rebuilt:
        assert history.rebuild() == 3
    catalogue = history.catalogue()
    for wanted, found in QUERIES:
        rows = catalogue.find(Query(**wanted))  # type: ignore[arg-type]
        assert [((row.started or 0) - FIRST) // 60_000_000 for row in rows] == found, wanted
    assert catalogue.count(Query(limit=1)) == 3
    assert catalogue.resolve("first") == catalogue.resolve("last~2") == make_synthetic(1)["id"]
    assert [made.path for made in catalogue.blame("b" * 64)] == [b"/w/plot_a.png"]
    for name in ("nobody", "nobody \udcff"):
        with pytest.raises(NoSuchRunError):
            catalogue.resolve(name)


def test_documents_come_back_as_they_were(history: DatabaseHistory) -> None:
    """A document with bytes that are not UTF-8, NUL and backslashes is the same; so is one that was annotated."""
    fill(history)
    record = history.read(make_synthetic(1)["id"])
    assert record["reason"] == "it's preliminary\n\t\\N of the tides \udcff\x00"
    said = make_annotation(reason="plain", add_tags=["new"])
    assert history.replace(record["id"], lambda old: annotate(old, said)) == history.read(record["id"])
    assert [row.reason for row in history.catalogue().find(Query(tag="new", text="plain"))] == ["plain"]
    assert history.catalogue().find(Query(text="preliminary")) == []


def test_what_is_forgotten_stays_so(history: DatabaseHistory) -> None:
    """A removed record is gone from all tables but that of the forgotten."""
    fill(history)
    identifier = make_synthetic(1)["id"]
    history.remove(identifier)
    assert history.forgotten() == {identifier}
    assert len(history.catalogue().find(Query())) == 2
    with pytest.raises(NoSuchRunError):
        history.remove(identifier)


WRITER = """
import sys
from rtrace.record.changing.annotating import annotate, make_annotation
from rtrace.record.history.opening import open_history
from synthetic_history import make_synthetic

first = int(sys.argv[1])
history = open_history()
for number in range(first, first + 40):
    history.add(make_synthetic(number))
    history.replace(make_synthetic(1)["id"], lambda old: annotate(old, make_annotation(add_tags=[f"tag{number}"])))
"""


def test_two_writers_lose_and_mix_nothing(history: DatabaseHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes add forty runs each, and annotate the same one each time: all is there, of each what it said."""
    fill(history)
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
    workers = [subprocess.Popen([sys.executable, "-c", WRITER, str(first)]) for first in (1000, 2000)]
    assert [worker.wait(120) for worker in workers] == [0, 0]
    numbers = [*range(1000, 1040), *range(2000, 2040)]
    assert set(history.read(make_synthetic(1)["id"])["tags"]) >= {f"tag{number}" for number in numbers}
    assert [history.read(make_synthetic(number)["id"]) for number in numbers] == list(map(make_synthetic, numbers))
    assert history.catalogue().count(Query()) == 83


def test_two_that_come_first_make_the_tables_once(history: DatabaseHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no tables yet, several writers at once each find or make them."""
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
    program = WRITER.partition("    history.replace")[0]
    workers = [subprocess.Popen([sys.executable, "-c", program, str(first)]) for first in (0, 100, 200)]
    assert [worker.wait(120) for worker in workers] == [0, 0, 0]
    assert history.catalogue().count(Query()) == 120


def test_a_server_that_is_gone_costs_no_run(history: DatabaseHistory, server: Server, tmp_path: Path) -> None:
    """The traced run keeps its exit status and its trace, one sentence tells, and the record is sent later."""
    fill(history)
    server.stop("immediate")
    try:
        (tmp_path / "work").mkdir()
        done = run_rtrace("trace", "sh", "-c", "echo fine; exit 7", cwd=tmp_path / "work")
        assert (done.returncode, done.stdout) == (7, b"fine\n")
        told = [line for line in done.stderr.decode().splitlines() if "history" in line]
        assert len(told) == 1
        assert server.shown in told[0]
        assert PASSWORD not in done.stderr.decode()
        assert (tmp_path / "work/.rtrace/records/run1.json").exists()
        asked = run_rtrace("log", cwd=tmp_path)
        assert asked.returncode == 125
        assert asked.stderr.decode().count("\n") == 1
    finally:
        server.start()
    asked = run_rtrace("log", "--json", cwd=tmp_path)
    assert b'"exit_code": 7' in asked.stdout
    assert b"sent 1" in asked.stderr
    assert b"sent" not in run_rtrace("log", cwd=tmp_path).stderr


def test_what_was_killed_in_mid_write_leaves_all_or_nothing(history: DatabaseHistory, server: Server) -> None:
    """A server that crashes between two writers' statements has whole records afterwards."""
    fill(history)
    with history._database.changing():
        history._database.ask("INSERT INTO rtrace.documents VALUES ('half', '{')")
        server.stop("immediate")
        server.start()
        with pytest.raises(HistoryError):
            history._database.ask("SELECT 1")
        history._database.ask("SELECT 1")  # a new connection
        history._database.ask("BEGIN")
    assert set(history.identifiers()) == {make_synthetic(number)["id"] for number in (1, 2, 9)}


def test_words_that_are_not_utf8_find_what_they_were_given_to(history: DatabaseHistory) -> None:
    """What PostgreSQL takes in no text, surrogates and NUL, comes back as it was, and each names its own run alone."""
    for number, odd in enumerate(ODD_NAMES):
        record = make_synthetic(number)
        record["label"], record["tags"], record["parameters"] = odd, [odd], make_parameters({odd: odd})
        record["project"] = {"name": odd, "description": None, "url": None}
        history.add(record)
    for _ in ("added", "rebuilt"):
        catalogue = history.catalogue()
        for number, odd in enumerate(ODD_NAMES):
            for query in (Query(tag=odd), Query(project=odd), Query(parameters=((odd, odd),))):
                (row,) = catalogue.find(query)
                assert (row.id, row.label, row.project) == (make_synthetic(number)["id"], odd, odd)
            assert catalogue.resolve(odd) == make_synthetic(number)["id"]
        history.rebuild()


def test_text_without_end_is_kept_and_found(history: DatabaseHistory) -> None:
    """Names longer than an index takes, and more words than a row does, keep no record out: what is first is found."""
    record = make_synthetic(1)
    noise = random.Random(1)  # noqa: S311 -- no secret
    long = noise.randbytes(5000).hex()
    record["label"], record["tags"], record["parameters"] = long, [long], make_parameters({"words": long})
    letters = [chr(noise.randrange(0x4E00, 0x9FFF)) for _ in range(1 << 20)]
    record["reason"] = f"antediluvian {' '.join(''.join(letters[at : at + 50]) for at in range(0, 1 << 20, 50))}"
    history.add(record)
    for _ in ("added", "rebuilt"):
        catalogue = history.catalogue()
        assert catalogue.resolve(long) == record["id"]
        for query in (Query(tag=long), Query(parameters=(("words", long),)), Query(text="antediluvian")):
            assert catalogue.count(query) == 1, query
        assert catalogue.count(Query(tag=long[:-1])) == catalogue.count(Query(parameters=(("words", long[:-1]),))) == 0
        history.rebuild()


def test_older_tables_are_made_again(history: DatabaseHistory, server: Server) -> None:
    """Who looks makes them anew; what was added before that by who does not look is found as well."""
    fill(history)
    history._database.ask("UPDATE rtrace.meta SET version = 101")
    history._database.ask("UPDATE rtrace.runs SET prose = NULL, label = NULL")
    other = DatabaseHistory(server.url)
    other.add(make_synthetic(50))
    assert history._database.ask("SELECT count(*) FROM rtrace.runs") == [[3]]
    told: list[str] = []
    catalogue = DatabaseHistory(server.url, told.append).catalogue()
    assert catalogue.count(Query()) == 4
    assert catalogue.count(Query(text="prelim*")) == 1
    assert catalogue.resolve("first") == make_synthetic(1)["id"]
    assert history._database.ask("SELECT version FROM rtrace.meta") == [[SCHEMA_VERSION]]
    assert told == []
    catalogue.close()
    other.catalogue().close()


def test_tables_that_were_left_half_filled_are_made_again(history: DatabaseHistory, server: Server) -> None:
    """Whoever comes while another one fills them is told that runs may be missing; after that one was killed, fills."""
    fill(history)
    history._database.ask("DELETE FROM rtrace.runs")
    history._database.ask("UPDATE rtrace.meta SET version = 0")
    filling = Database(read_address(server.url))
    filling.ask(f"SELECT pg_advisory_lock({FILLING})")
    told: list[str] = []
    catalogue = DatabaseHistory(server.url, told.append).catalogue()
    assert catalogue.count(Query()) == 0
    assert [sentence.partition(":")[0] for sentence in told] == ["runs may be missing"]
    catalogue.close()
    with pytest.raises(BusyError, match="try again"):
        history.rebuild()
    filling.close()
    catalogue = DatabaseHistory(server.url, told.append).catalogue()
    assert catalogue.count(Query()) == 3
    assert len(told) == 1
    catalogue.close()


def test_an_answer_that_takes_long_is_waited_for_where_that_is_meant(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index may take longer to make than anything else is waited for; a server that is gone meanwhile is told."""
    monkeypatch.setattr("rtrace.record.stores.postgresql_connection._ANSWER_SECONDS", 0.2)
    database = Database(read_address(server.url))
    with database.waiting():
        assert database.ask("SELECT 7 FROM pg_sleep(1)") == [[7]]
    with pytest.raises(HistoryError, match="timed out"):
        database.ask("SELECT 7 FROM pg_sleep(10)")
    with pytest.raises(HistoryError), database.waiting():
        database.ask("SELECT pg_terminate_backend(pg_backend_pid())")
    database.close()


def test_newer_tables_are_refused(history: DatabaseHistory) -> None:
    """Tables of a later rtrace are left alone, in a sentence without the password."""
    fill(history)
    history._database.ask("UPDATE rtrace.meta SET version = 9999")
    history._version = None
    with pytest.raises(HistoryError, match="of a newer rtrace; update rtrace") as caught:
        history.catalogue()
    assert PASSWORD not in str(caught.value)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pg8000 leaves its socket open
@pytest.mark.parametrize(
    "change, reason",
    [
        (("s3cret", "wrong"), "password authentication failed"),
        (("/postgres?", "/nowhere?"), "does not exist"),
        (("127.0.0.1:", "127.0.0.1:1"), "is not one of PostgreSQL"),
        (("@127.0.0.1:", "@127.0.0.1:9/"), "cannot be used"),
        (("//postgres", "//post\x1bgres"), "cannot be used"),
    ],
)
def test_wrong_addresses_are_told_without_the_password(
    server: Server, history: DatabaseHistory, change: tuple[str, str], reason: str
) -> None:
    """The sentence names the place and the reason, whatever is wrong."""
    assert history is not None
    url = f"{server.url}?sslmode=prefer".replace(*change)
    with pytest.raises((HistoryError, UsageError)) as caught:
        open_history(url).catalogue()
    assert "s3cret" not in str(caught.value)
    assert reason in str(caught.value)


@pytest.fixture
def encrypting(tmp_path: Path) -> Iterator[Server]:
    """A server that encrypts, with a certificate that nobody has signed."""
    with serve_postgresql() as server:
        data = server.folder / "data"
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
        names = {"-keyout": "server.key", "-out": "server.crt"}
        words = [word for option, name in names.items() for word in (option, str(tmp_path / name))]
        subprocess.run([*make, *words], check=True, capture_output=True)
        for name in names.values():
            (data / name).write_bytes((tmp_path / name).read_bytes())
            shutil.chown(data / name, data.stat().st_uid, data.stat().st_gid)
            (data / name).chmod(0o600)
        server.stop()
        (data / "postgresql.auto.conf").write_text("ssl = on\n")
        server.start()
        yield server


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pg8000 leaves its socket open
@pytest.mark.requires("openssl")
def test_connections_are_encrypted_as_the_address_says(server: Server, encrypting: Server) -> None:
    """`prefer`, the default, takes what the server can; the others are refused where they cannot be had."""

    def is_encrypted(url: str) -> object:
        database = Database(read_address(url))
        try:
            return database.ask("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")[0][0]
        finally:
            database.close()

    for options, plain, encrypted in (
        ("", False, True),
        ("?sslmode=prefer", False, True),
        ("?sslmode=disable", False, False),
    ):
        assert is_encrypted(server.url + options) is plain
        assert is_encrypted(encrypting.url + options) is encrypted
    assert is_encrypted(f"{encrypting.url}?sslmode=require") is True
    for one, mode, reason in (
        (server, "require", "refuses SSL"),
        (encrypting, "verify-full", "certificate verify failed"),
    ):
        with pytest.raises(HistoryError, match=reason):
            is_encrypted(f"{one.url}?sslmode={mode}")


def test_histories_of_both_kinds_are_synced(
    history: DatabaseHistory, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder and a database have the same runs afterwards, with what was said in either, without the forgotten."""
    fill(history)
    folder = FolderHistory(tmp_path / "mine")
    shared, mine, dropped = make_synthetic(1), make_synthetic(50), make_synthetic(2)
    for record in (history.read(shared["id"]), mine, dropped):
        folder.add(record)
    folder.replace(shared["id"], lambda old: annotate(old, make_annotation(add_tags=["here"])))
    history.replace(shared["id"], lambda old: annotate(old, make_annotation(add_tags=["there"])))
    history.remove(dropped["id"])
    monkeypatch.setenv("RTRACE_HISTORY", str(folder.root))
    done = run_rtrace("sync", server.url)
    assert (done.returncode, done.stderr) == (0, b"rtrace: 1 fetched, 1 sent, 1 joined, 1 forgotten\n")
    assert set(folder.identifiers()) == set(history.identifiers())
    assert {"here", "there"} <= set(folder.read(shared["id"])["tags"])
    assert [history.read(one) for one in sorted(history.identifiers())] == [
        folder.read(one) for one in sorted(folder.identifiers())
    ]
    assert "s3cret" not in done.stderr.decode()
