"""What must not leave this machine.

Secrets in a trace and its files, and the author's names in an anonymous bundle.
"""
