"""The names in the folder of an apptainer target, and what it is for a person who has no rtrace."""

from __future__ import annotations

from rtrace_unpackers.directory.words import MADE as MADE_OF_A_DIRECTORY

NAME = "apptainer"
TOOLS = ("apptainer", "singularity")
"""The programs that can replay: Apptainer, and those that kept the name that it had."""
ARCHIVE, DEFINITION, IMAGE = "image.oci.tar", "image.def", "image.sif"
MADE = (*MADE_OF_A_DIRECTORY, ARCHIVE, DEFINITION, IMAGE)

CLOSED = "--containall --no-home --cleanenv --net --network none"
"""The options by which a container is shut in."""
WRITABLE = "--fakeroot --writable-tmpfs"
"""Those by which what a run writes in an image file is kept while it lasts."""

TREE_FACT = "files"
"""The word of the state that says whether there is a tree: `yes`."""
