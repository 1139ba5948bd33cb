"""``%load_ext rtrace.notebook``: the magic ``%%rtrace`` in IPython and Jupyter, see `rtrace.inside.cell`."""

from __future__ import annotations

from typing import Any


def load_ipython_extension(shell: Any) -> None:  # noqa: ANN401 -- IPython's shell, which need not be installed
    """Register the magic with the shell that loads this extension."""
    from rtrace.inside.cell import run_cell

    shell.register_magic_function(lambda line, cell: run_cell(shell.user_ns, line, cell), "cell", "rtrace")


def unload_ipython_extension(shell: Any) -> None:  # noqa: ANN401 -- the same
    """Forget the magic."""
    shell.magics_manager.magics["cell"].pop("rtrace", None)
