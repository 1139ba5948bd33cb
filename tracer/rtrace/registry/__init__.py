"""A bundle in an OCI registry: references, credentials, the protocol, and the artifact that a bundle is there.

It is asked by `rtrace push` and `rtrace pull` alone. A registry is somebody else's, and believed nothing but digests.
"""
