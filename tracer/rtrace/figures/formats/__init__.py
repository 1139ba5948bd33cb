"""The formats that hold a stamp, one file each: ``split`` takes it out, ``join`` puts it in.

Taking out what was put in gives the same bytes again: ``split(join(plain, payload)) == (plain, payload)``.
"""
