"""Record a session in a terminal as a picture: docs/pictures/session.svg. Run by `scripts/docs --record`."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from documentation.terminal_picture import draw, lay_out

CHECKOUT = Path(__file__).resolve().parents[3]
SESSION = (
    "rtrace trace ./run.sh",
    "rtrace pack ../study.rpz",
    "cd .. && rm -r study",
    "rtrace verify study.rpz",
)
COLUMNS, ROWS = 100, 40


def record_session(folder: Path) -> str:
    """Return what a terminal shows while the commands of the session run in a folder, one after the other."""
    shutil.copytree(CHECKOUT / "fixtures/experiments/python-analysis", folder / "study")
    shutil.rmtree(folder / "study" / "expected")
    programs = folder / "bin"
    programs.mkdir()
    (programs / "rtrace").symlink_to(Path(sys.executable).parent / "rtrace")
    script = "".join(f"printf '\\033[1m$ %s\\033[m\\n' {quote(command)}\n{command}\n" for command in SESSION)
    environ = {
        "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),  # Python looks into ~/.local, and rtrace would say so
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "COLUMNS": str(COLUMNS),
    }
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        ["bash", "-ec", f"stty cols {COLUMNS} rows {ROWS}\n{script}"],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder / "study", env=environ,
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = b"".join(_read_all(ours))
    os.close(ours)
    if process.returncode:
        raise SystemExit(f"the session ended with {process.returncode}: {shown.decode()}")
    return shown.decode()


def _read_all(descriptor: int) -> Iterator[bytes]:
    """Yield what comes out of a terminal until nobody has its other end open any more."""
    try:
        while part := os.read(descriptor, 1 << 16):
            yield part
    except OSError:  # EIO: the last one has closed it
        return


def quote(text: str) -> str:
    """Return a text as a word of the shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def main() -> None:
    """Record the session in a new folder below /tmp and write the picture."""
    with tempfile.TemporaryDirectory(prefix="ada-") as folder:
        shown = record_session(Path(folder))
        shown = shown.replace(folder, "/home/ada")
    target = CHECKOUT / "docs" / "pictures" / "session.svg"
    target.write_text(draw(lay_out(shown, COLUMNS), COLUMNS), "utf-8")
    print(target)


if __name__ == "__main__":
    main()
