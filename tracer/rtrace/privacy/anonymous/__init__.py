"""Anonymous bundles: pseudonyms in place of the names of the user and the host.

`plan` decides, before anything is written; `anonymizer` carries it out by way of `names` (texts), `ids` (numbers) and
`contents` (files); `check` has the last word on the finished bundle.
"""
