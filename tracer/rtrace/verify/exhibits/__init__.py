"""What a person is shown of two contents that differ: lines side by side, cells of tables, pictures. Bounded, always.

    Substance ──> Gallery: is there room? ──> Apart, a process with limits ──> drawing ──> JSON ──> Exhibit

Contents are hostile, and so may be the process that has read them: what it answers is read as a stranger's.
"""
