"""Turn a bundle into a target, and replay it there.

    files       from the entries of a bundle to files on a disk
    target      a target's life: made, described, looked into, removed
    limits      what the processes of a replay may use
    launchers   static programs that start a run
    isolation   a replay in namespaces of its own
    chroot      the unpacker that makes a folder, and replays in namespaces
    engines     the unpackers that make an image for a container engine
    conformance the suite that judges unpackers

Each uses those above it in this list; ``chroot`` and ``engines`` do not use each other.
"""
