"""Replay a run under proot(1), where namespaces are not to be had: its calls are translated, one by one, by a tracer.

That keeps the files of a bundle in place of the machine's, and is no isolation as namespaces are: the network is the
machine's, its processes are to be seen, and a program that means to leave the tree can.

    untranslated   the calls that proot leaves as they are, which are refused instead
    plan           the first process's calls, and the command line, as values
    dangers        what a replay may be granted, and what is told of it
    keeper         the process between the caller and proot, which ends all
    running        a run carried out
    finding        whether there is a proot here that works
"""
