"""``rtrace completion``: what makes a shell complete rtrace's commands, options, targets, runs and files."""

from __future__ import annotations

from importlib.resources import files

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.terminal.speaking import give

SHELLS = ("bash", "zsh", "fish")


@click.command(
    cls=RtraceCommand, examples=("rtrace completion bash > ~/.local/share/bash-completion/completions/rtrace",)
)
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print what makes SHELL complete rtrace's commands, options, unpackers, targets, runs and files.

    To try it now, in bash or zsh: eval "$(rtrace completion bash)"; in fish: rtrace completion fish | source. For good,
    write it to a file that the shell loads: for zsh, _rtrace in a folder of $fpath; for fish,
    ~/.config/fish/completions/rtrace.fish.
    """
    give(files("rtrace.cli.shells").joinpath(f"rtrace.{shell}").read_bytes())
