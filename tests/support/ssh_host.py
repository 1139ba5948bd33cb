"""Another host to reach by ssh(1): an sshd(8) of its own on this machine's loopback, with its own keys."""

import os
import pwd
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import which

from slurm_node import find_port, running
from waiting import wait_until

SERVER = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/user.pub
PasswordAuthentication no
UsePAM no
StrictModes no
PermitRootLogin yes
Subsystem sftp internal-sftp
"""
CLIENT = """\
Host elsewhere
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {folder}/user
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known
  StrictHostKeyChecking accept-new
  LogLevel ERROR
"""


@contextmanager
def ssh_host(folder: Path) -> Iterator[Path]:
    """Have a host called ``elsewhere`` in the block, which is given the configuration file for ssh -F. Needs root."""
    folder.mkdir()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    port = find_port()
    names = {"folder": folder, "port": port, "user": pwd.getpwuid(os.geteuid()).pw_name}
    server, client = folder / "sshd_config", folder / "config"
    server.write_text(SERVER.format(**names))
    client.write_text(CLIENT.format(**names))
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd leaves its rights behind
    program = which("sshd") or "/usr/sbin/sshd"

    def is_up() -> bool:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return True
        return False

    with running(program, "-D", "-f", server):
        wait_until(is_up)
        yield client
