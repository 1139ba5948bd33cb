"""Working with what was unpacked: files put in the place of others, fetched, and told with their state.

bundles     the bundle that a target was made of
names       the files of a bundle by the names that people give them
notes       what is noted in a target's folder, locked while it is worked with
contents    what is put into a target, whole before it begins
settling    what a killed command left is put in order
states      whether a file is as packed, replaced, changed, missing
uploading, replacing, fetching, resetting, shelling    the verbs
"""
