"""Small static programs that start a recorded run, for each kind of processor. Uses `rtrace` alone.

    sources/container.c     starts a run in a container, and is its init
    sources/pause.c         keeps a container running
    sources/namespaces.c    the first process of a replay in namespaces
    sources/image.c         the first program of an exported image: it replays, and verifies

Their machine code is kept as bytes, for nobody is to need a compiler. What a program is to do it finds in data that are
laid out behind its code, where it is started.
"""
