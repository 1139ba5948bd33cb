"""Capture: follows a process tree and notes every file it looks at, as it was before the run touched it.

As a function it is the decorator of the public API, see `rtrace.inside.capturing`.
"""

from rtrace.calling import make_callable

make_callable(__name__, "rtrace.inside.capturing:capture")
