"""Unpackers that give a bundle to a container engine, and replay it in a container.

    engine      the command line of Docker and Podman, and which of them is asked
    image       an image, as a build context and as an engine loads it
    belonging   which images and containers are a target's, and who uses them
    container   a container's options, one replay in it, and what it holds afterwards
    target      a target on top of these
    making      making one of a bundle
    docker      the unpacker ``docker``

Each uses those above it in this list, besides `files`, `target`, `limits`, `launchers` and `isolation`.
"""
