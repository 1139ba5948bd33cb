"""What the tests of the fast lane share."""

from hypothesis import settings

# Nothing is timed: a machine may be busy.
settings.register_profile("rtrace", deadline=None)
settings.load_profile("rtrace")
