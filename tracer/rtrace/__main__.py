"""``python -m rtrace``: the same as the ``rtrace`` command."""

from rtrace.cli import main

if __name__ == "__main__":
    main()
