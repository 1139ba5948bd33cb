"""The kernel as capture sees it.

System calls and their numbers, filters, terminals, and what the kernel reads to execute a file.
"""
