"""The names in the folder of a vagrant target."""

from __future__ import annotations

from rtrace_unpackers.target.state import MADE_BY_STATE

NAME = "vagrant"
VAGRANTFILE, PROVISIONING = "Vagrantfile", "provision.sh"
FILES, REPLAYING = "files.tar", "replaying.tar"
MACHINES = ".vagrant"
"""What Vagrant itself keeps in the folder."""
MADE = (*MADE_BY_STATE, VAGRANTFILE, PROVISIONING, FILES, REPLAYING)
PLACE = "/var/lib/rtrace"
"""Where all of it is in the machine."""
