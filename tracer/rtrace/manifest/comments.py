"""What a manifest says, in its comments, to the person who edits it."""

from __future__ import annotations

HEAD = """\
# What was traced, and what will be packed. Edit it, then run `rtrace pack`.
#
# Strings may always be quoted: "like \\"this\\", with \\n and \\\\". What is not UTF-8 is written as !!binary "base64".
"""
RUNS = """
# The traced commands. A replay starts them with the argv, environ and workingdir given here.
"""
INPUTS = """
# Inputs are files that a person may want to replace before a replay; outputs are files to fetch after it. Choose any
# names. Folders with too many inputs to list are left out here, not from the bundle; add a line for any file that needs
# a name. `rtrace verify` judges by the outputs: remove those that may differ, add those that may not. A path that ends
# in / is a folder with everything in it. Whatever else the runs wrote is compared, too, and reported as other files;
# with no output named, all of it counts. `ignore` takes files out of the verdict.
"""
PACKAGES = """
# Installed packages that own files the runs touched (counts and sizes are of these files). With `pack: false` they are
# left out of the bundle. A replay sees no file of its machine, so do this only to what the runs can do without.
"""
COMPLETION = """
# The rest of what the runs used in part, for programs that load it another time. `pack: false` leaves it out; large
# items are left out unless you say `pack: true`.
"""
PATTERNS = """
# Patterns over absolute paths: ? and * stay within a name, ** crosses slashes; a pattern that matches a folder stands
# for everything in it. `exclude` leaves files out. `include` adds files that the runs did not touch, and the content of
# those that they only listed or looked up. For example:
#   exclude: [/home/me/cache, "**/*.tmp"]
# `ignore` leaves what matches out of the verdict of `rtrace verify`; `stdout` and `stderr` stand for the streams:
#   ignore: ["**/*.log", stderr]
# `compare`, in the line of an output or of a run's stdout or stderr, says how strictly it is compared. `tolerance` is
# for numbers, relative; `ignore` takes regular expressions for lines, columns and paths of values:
#   compare: {tolerance: 1e-6, ignore: ['^Date:', '^/meta/created'], order: any}
# `claims` are what a paper says, and which outputs show it, for `rtrace verify` and `rtrace appendix`:
#   claims: [{claim: "The method is faster.", run: run1, outputs: [times.csv], tolerance: 0.05}]
# `elsewhere` leaves out the content of files; it is fetched, and checked against its digest, when the bundle is
# unpacked:
#   elsewhere: [{path: /home/me/genomes/**, url: "https://example.org/genomes/"}]
"""
CLAIMS = """
# What the paper says, each with the run and the outputs that show it (`stdout` and `stderr` are what the run printed);
# `rtrace verify` says of each claim whether it was reproduced, `rtrace appendix` writes it into an artifact appendix.
"""
ELSEWHERE = """
# Content that is left out of the bundle, to be fetched when somebody unpacks it. A `url` that ends in / is a folder.
"""
SECRETS = """
# What looks like a secret, with its place and the rule that found it: `pack: true` packs it as it is, `redacted` makes
# it unreadable where it stands, `false` leaves out the variable or file (and any archive that contains one). A place
# may be `file` and a pattern.
"""
FOLDERS = """
# Files of the experiment itself, by folder:
"""
UNOWNED = """
# Files that belong to no known package and lie outside the experiment's folders: where do they come from? (For your
# information; changes here have no effect.)
"""
NOTICES = """
# What could not be captured faithfully, and what to do about it.
"""
DIGESTS = """
# SHA-256 of the other members of this bundle.
"""
