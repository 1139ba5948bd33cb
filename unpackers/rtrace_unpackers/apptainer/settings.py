"""The configuration of Apptainer, where a plain user may bring one: nothing of the machine that is not asked for."""

from __future__ import annotations

SETTINGS = "settings"
"""The name of its file in a workspace."""
RENDERED_SETTINGS = """\
allow setuid = no
config passwd = no
config group = no
config resolv_conf = no
mount proc = yes
mount sys = no
mount dev = minimal
mount devpts = yes
mount home = no
mount tmp = no
mount hostfs = no
user bind control = yes
enable fusemount = no
enable overlay = no
enable underlay = no
mount slave = yes
allow container dir = yes
always use nv = no
always use rocm = no
"""
