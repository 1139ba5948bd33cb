"""The Vagrantfile of a target, which is a program in Ruby: nothing of a bundle is a word of it.

What a person says for a box stands in it between single quotes, of the characters that names of boxes have.
"""

from __future__ import annotations

import re

from rtrace.errors import UsageError
from rtrace_unpackers.vagrant.words import FILES, PROVISIONING, REPLAYING

BOXES = {"debian": "debian/bookworm64", "ubuntu": "bento/ubuntu-22.04"}
"""Boxes by the distribution of a run; a replay needs little of them."""
DEFAULT_BOX = BOXES["debian"]
_BOX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}\Z")


def check_box(name: str) -> None:
    """Raise UsageError for a name that no box has."""
    if not _BOX.match(name):
        raise UsageError(f"{name!r} is no name of a box of Vagrant's: name one such as {DEFAULT_BOX} (--base-image)")


def choose_box(named: str | None, distribution: str) -> str:
    """Return the box of a machine: what a person named, else one for the distribution."""
    return BOXES.get(distribution, DEFAULT_BOX) if named is None else named


def render_vagrantfile(box: str) -> str:
    """Return the Vagrantfile: the same for every bundle with the same box. Raises UsageError."""
    check_box(box)
    return f"""\
# A machine that replays a bundle, made by rtrace. `vagrant up` makes it, and downloads the box where it is not here.
Vagrant.configure('2') do |config|
  config.vm.box = '{box}'
  config.vm.box_check_update = false
  config.vm.synced_folder '.', '/vagrant', disabled: true
  config.vm.provision 'file', source: '{FILES}', destination: '/tmp/{FILES}'
  config.vm.provision 'file', source: '{REPLAYING}', destination: '/tmp/{REPLAYING}'
  config.vm.provision 'shell', path: '{PROVISIONING}'
end
"""
