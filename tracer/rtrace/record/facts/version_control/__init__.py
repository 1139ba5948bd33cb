"""What git, Mercurial and Subversion know of a folder, asked so that nothing in it is started, fetched or changed.

A repository may come from anywhere, and its settings name programs: hooks, filters, monitors, pagers, helpers. None of
them is ever read by the git that is asked: it gets a repository folder of our own making, with the objects of the real
one and a copy of its index. Mercurial leaves the settings of a repository unread when told to, Subversion has none.
"""
