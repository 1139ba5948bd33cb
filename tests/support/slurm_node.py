"""A Slurm cluster of one node on this machine: munged, slurmctld and slurmd in a folder, ended by their process ids."""

import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from waiting import wait_until

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
MpiDefault=none
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_min_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
"""


def find_port() -> int:
    """Return a TCP port that is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(*argv: str | Path, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Have a daemon that stays in the foreground run inside the block."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(argv, env=env, stdin=quiet, stdout=quiet, stderr=quiet) as daemon:
        try:
            yield daemon
        finally:
            daemon.terminate()
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()


@contextmanager
def slurm_node(folder: Path) -> Iterator[dict[str, str]]:
    """Have a cluster of one node in the block, which is given the environment for srun and sbatch. Needs root."""
    folder.mkdir(mode=0o755)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    configuration = folder / "slurm.conf"
    configuration.write_text(
        CONFIGURATION.format(
            host=socket.gethostname().partition(".")[0],
            folder=folder,
            controller=find_port(),
            node=find_port(),
            cores=os.cpu_count(),
        )
    )
    env = {**os.environ, "SLURM_CONF": str(configuration)}
    files = {name: folder / f"munge.{name}" for name in ("sock", "pid", "log", "seed")}
    munged: list[str | Path] = ["munged", "-F", "--force", "--key-file", key, "--socket", files["sock"]]
    munged += ["--pid-file", files["pid"], "--log-file", files["log"], "--seed-file", files["seed"]]
    with ExitStack() as daemons:
        daemons.enter_context(running(*munged))
        wait_until(files["sock"].exists)
        daemons.enter_context(running("slurmctld", "-D", "-c", "-f", configuration, env=env))
        daemons.enter_context(running("slurmd", "-D", "-f", configuration, env=env))

        def is_up() -> bool:
            asked = ["sinfo", "-h", "-o", "%t"]
            done = subprocess.run(asked, check=False, capture_output=True, env=env, timeout=60)
            return done.stdout.strip() == b"idle"

        wait_until(is_up)
        yield env
