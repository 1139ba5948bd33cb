"""A suite that an unpacker, anybody's, can run on itself: ``python -m rtrace_unpackers.conformance NAME``.

It makes bundles of its own, of the machine's `sh` and `cat`, and checks what `rtrace.replay.protocol` promises.

    model      a check, and how it ends
    programs   the machine's sh and cat, with the files that they load
    bundles    bundles made by hand
    hostile    bundles that are to be refused
    bench      where a check works: an unpacker, a folder, targets and replays
    judging    the checks one after the other
    made, started, kept, exchanged   the checks
    killed     a process that is killed while it unpacks

It uses no other chapter: what it knows of an unpacker is the protocol.
"""
