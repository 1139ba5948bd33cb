"""What launchers of parallel programs say of a process, and where the traces of ranks wait for each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtrace.capture.books.journal import Journal
from rtrace.capture.books.notices import NoticeBook
from rtrace.errors import TraceError
from rtrace.trace.directory import TraceDirectory
from rtrace.trace.parallel.gathering import elected, place_ranks
from rtrace.trace.parallel.launchers import Rank, find_rank
from rtrace.trace.parallel.noting import note_ranks
from rtrace.trace.parallel.processes import read_process_ranks, read_ranks, read_scratch
from trace_builder import TraceBuilder

OPEN_MPI = {
    b"OMPI_COMM_WORLD_RANK": b"1",
    b"OMPI_COMM_WORLD_SIZE": b"4",
    b"OMPI_COMM_WORLD_LOCAL_RANK": b"1",
    b"PMIX_NAMESPACE": b"prterun-box-77@1",
}
SLURM_STEP = {
    b"SLURM_PROCID": b"2",
    b"SLURM_STEP_NUM_TASKS": b"3",
    b"SLURM_LOCALID": b"0",
    b"SLURM_JOB_ID": b"12",
    b"SLURM_STEP_ID": b"0",
}


@pytest.mark.parametrize(
    "environ, rank",
    [
        (OPEN_MPI, Rank(1, 4, 1, "Open MPI", "prterun-box-77-1")),
        (SLURM_STEP, Rank(2, 3, 0, "Slurm", "12-0")),
        ({b"PMI_RANK": b"0", b"PMI_SIZE": b"2", b"MPI_LOCALRANKID": b"0"}, Rank(0, 2, 0, "MPICH", "job")),
        ({**SLURM_STEP, **OPEN_MPI}, Rank(1, 4, 1, "Open MPI", "prterun-box-77-1")),
        ({b"SLURM_PROCID": b"0", b"SLURM_NTASKS": b"4", b"SLURM_JOB_ID": b"12"}, None),
        ({b"PMI_RANK": b"4", b"PMI_SIZE": b"4"}, None),
        ({b"PMI_RANK": b"-1", b"PMI_SIZE": b"4"}, None),
        ({b"PMI_RANK": b"0", b"PMI_SIZE": b"9" * 400}, None),
        ({b"PMI_RANK": "٣".encode(), b"PMI_SIZE": b"4"}, None),
        ({}, None),
    ],
    ids=["openmpi", "slurm", "mpich", "both", "batch", "too-large", "negative", "endless", "other-digits", "none"],
)
def test_a_rank_is_known_by_what_its_launcher_says(environ: dict[bytes, bytes], rank: Rank | None) -> None:
    """Rank, number of ranks and job are read; a batch script is no rank, nor is what no launcher would write."""
    assert find_rank(environ) == rank


def test_a_jobs_name_can_be_part_of_a_files_name() -> None:
    """What a launcher calls its job leads out of no folder, and is not too long for a name."""
    rank = find_rank({**OPEN_MPI, b"PMIX_NAMESPACE": b"../../etc\n" + b"x" * 500})
    assert rank is not None
    assert rank.job.startswith("etc-xxx")
    assert len(rank.job) < 60


def test_one_joins_when_all_are_there(tmp_path: Path) -> None:
    """A rank sees who is missing; of two that see all, one may join; afterwards there is nothing left to join."""
    places = place_ranks(TraceDirectory(tmp_path / ".rtrace"), Rank(0, 2, 0, "Open MPI", "7"))
    assert places.list_missing() == (0, 1)
    places.find(1).path.mkdir()
    assert places.list_missing() == (0,)
    places.find(0).path.mkdir()
    with elected(places) as first, elected(places) as second:
        assert (first, second) == (True, False)
        for trace in places.list_all():
            trace.path.rmdir()
    with elected(places) as late:
        assert not late
    assert list(tmp_path.iterdir()) == []


def test_processes_have_the_rank_of_who_started_them(tmp_path: Path) -> None:
    """In the trace of a launcher, a rank's own children count for it, and the launcher for none."""
    builder = TraceBuilder(tmp_path)
    builder.begin()
    connection = builder.connection
    environments = [b"A=1\0", b"PMI_RANK=0\0PMI_SIZE=2\0", b"PMI_RANK=1\0PMI_SIZE=2\0"]
    connection.executemany("INSERT INTO environments VALUES (?, ?)", enumerate(environments, 1))
    path = builder.touch(tmp_path / "prog")
    processes = [(1, None), (2, 1), (3, 1), (4, 3)]
    for process, parent in processes:
        row = (process, 1, parent, 100 + process, 0, 0, 9, process, None)
        connection.execute(
            "INSERT INTO processes(id, run, parent, pid, is_thread, started, ended, exit_code, signal)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
    for process, environment in [(1, 1), (2, 2), (3, 3)]:
        connection.execute(
            "INSERT INTO executions(run, process, time, path, argv, environment, workingdir)"
            " VALUES (1, ?, 0, ?, x'', ?, x'2f')",
            (process, path, environment),
        )
    assert {process: rank.number for process, rank in read_process_ranks(connection).items()} == {2: 0, 3: 1, 4: 1}
    ranks = [(one.rank.number, one.process, one.host, one.exit_code) for one in read_ranks(connection)]
    assert ranks == [(0, 2, "box", 2), (1, 3, "box", 3)]


def add_rank(builder: TraceBuilder, number: int, size: int, *, scratch: bytes = b"/tmp/ompi.box/pid.1") -> None:
    """Add a run that was one rank, as `rtrace trace --rank` leaves it."""
    builder.begin()
    environ = b"OMPI_COMM_WORLD_RANK=%d\0OMPI_COMM_WORLD_SIZE=%d\0PMIX_NAMESPACE=7\0PMIX_SERVER_TMPDIR=%s\0"
    builder.connection.execute(
        "UPDATE runs SET environ = ?, name = ? WHERE id = ?",
        (environ % (number, size, scratch), f"rank{number}", builder.run),
    )


def test_missing_ranks_are_told(tmp_path: Path) -> None:
    """A trace without some of the ranks says which; of ranks that do not speak MPI nothing more is said."""
    builder = TraceBuilder(tmp_path)
    add_rank(builder, 1, 20_000)
    add_rank(builder, 0, 20_000)
    note_ranks(builder.connection)
    ((kind, what),) = builder.connection.execute("SELECT kind, what FROM notices").fetchall()
    assert kind == "unfinished"
    assert what == "not all of the 20000 ranks are in the trace; missing: 2, 3, 4, 5, 6, 7, 8, 9 and 19990 more"


def test_ranks_that_speak_mpi_miss_their_launcher(tmp_path: Path) -> None:
    """Ranks that loaded a library of MPI cannot be replayed without their launcher, and the trace says so."""
    builder = TraceBuilder(tmp_path)
    for number in (0, 1):
        add_rank(builder, number, 2)
        path = builder.touch(tmp_path / "libmpi.so.40")
        builder.connection.execute(
            "INSERT INTO uses(run, process, time, path, use) VALUES (?, 1, 0, ?, 1)", (builder.run, path)
        )
    note_ranks(builder.connection)
    ((kind, what, advice),) = builder.connection.execute("SELECT kind, what, advice FROM notices").fetchall()
    assert kind == "launcher"
    assert what.startswith("the 2 ranks spoke with each other through Open MPI")
    assert "rtrace trace mpirun" in advice


@pytest.mark.parametrize(
    "scratch, patterns",
    [
        (b"/tmp/ompi.box.0/pid.1/", (rb"/tmp/ompi.box.0/pid.1",)),
        (rb"/tmp/odd[1]*\x", (rb"/tmp/odd\[1]\*\\x",)),
        (b"/tmp", ()),
        (b"/", ()),
        (b"tmp/a/b", ()),
        (b"", ()),
    ],
)
def test_what_a_launcher_made_for_itself_is_left_out(
    tmp_path: Path, scratch: bytes, patterns: tuple[bytes, ...]
) -> None:
    """The folder in which a launcher speaks with its ranks is excluded by a pattern that matches it alone."""
    builder = TraceBuilder(tmp_path)
    add_rank(builder, 0, 1, scratch=scratch)
    assert read_scratch(builder.connection) == patterns


def test_traces_that_wait_are_named_where_none_is(tmp_path: Path) -> None:
    """Who packs before all ranks have ended is told how to join those that have."""
    (tmp_path / ".rtrace.7.rank-0").mkdir()
    with pytest.raises(TraceError, match=r"not all ranks have ended: `rtrace combine -d .*\.rank-\*`"):
        TraceDirectory(tmp_path / ".rtrace").open()


@pytest.mark.parametrize(
    "program, address, told",
    [
        ("ssh", "elsewhere (192.0.2.1) port 22", "ssh spoke to another host, elsewhere (192.0.2.1) port 22: "),
        ("ssh", "/tmp/ssh-x/agent.1", "ssh connected to /tmp/ssh-x/agent.1"),
        ("sbatch", "192.0.2.1 port 6817", "sbatch gave work to Slurm"),
        ("bsub", "192.0.2.1 port 6878", "bsub gave work to a batch system"),
        ("curl", "192.0.2.1 port 80", "curl connected to 192.0.2.1 port 80"),
    ],
)
def test_work_that_others_do_is_told(tmp_path: Path, program: str, address: str, told: str) -> None:
    """A program that lets another host or a batch system work says so, and how to trace there."""
    builder = TraceBuilder(tmp_path)
    builder.begin()
    journal = Journal(builder.connection)
    NoticeBook(journal, 1, tmp_path).add_connection(program, address)
    ((_, kind, what, advice),) = journal.pending["notices"]
    assert what.startswith(told)
    assert ("rtrace trace" in advice) == (kind == "escape")


def test_ways_between_ranks_are_told_once(tmp_path: Path) -> None:
    """What leads to another rank, or to the launcher, is no notice of its own; a server beside them stays one."""
    builder = TraceBuilder(tmp_path)
    scratch = b"/tmp/x/y\0PMIX_SERVER_URI2=7.0;tcp4://127.0.0.1:40001"
    add_rank(builder, 0, 2, scratch=scratch)
    add_rank(builder, 1, 2, scratch=scratch)
    path = builder.touch(tmp_path / "libmpi.so.40")
    connection = builder.connection
    connection.execute("INSERT INTO uses(run, process, time, path, use) VALUES (1, 1, 0, ?, 1)", (path,))
    connection.execute(
        "INSERT INTO connections(run, process, time, call, family, address, port)"
        " VALUES (2, 1, 0, 'bind', 'inet', '192.0.2.7', 1024)"
    )
    places = ["127.0.0.1 port 40001", "192.0.2.7 port 1024 (3 times)", "@0f5a3", "127.0.0.1 port 5432"]
    told = [(1, "connection", f"solver connected to {place}") for place in places]
    told.append((2, "descriptor", "descriptors 5, 7, 8 of the run are each a socket: what came there was not kept"))
    connection.executemany("INSERT INTO notices(run, kind, what, advice) VALUES (?, ?, ?, '')", told)
    note_ranks(connection)
    left = connection.execute("SELECT kind, what FROM notices ORDER BY id").fetchall()
    assert [kind for kind, _ in left] == ["connection", "launcher"]
    assert left[0][1].endswith("5432")
