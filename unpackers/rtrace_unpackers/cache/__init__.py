"""Trees that were unpacked once and are kept, so that the next replay of the same bundle begins at once.

    CACHE/                          entered by nobody but its owner
      IDENTITY-OWNERS/              a tree in the cache; whoever uses it has locked it, shared with others
        rtrace-tree.json            of which bundle, how large, and the seal: what all its files were when it was whole
        own.jsonl                   the entries of which each replay gets files of its own
        root/                       the files of the bundle, which no replay changes
      .rtrace-incomplete-XXXX/      one in the making

A replay sees such a tree through an overlay. Uses `files`, `target` and `isolation`.
"""
