"""Linux itself: the calls that Python has no function for, by the names of their manual pages.

`ctypes` and the C library are used here alone; `libc` is the door to both. May use the ground alone.
"""
