"""What commands answer to programs.

An answer has a declared type, from which `rtrace schema --of COMMAND` makes the schema.
"""
