"""`rtrace drift`: a project and what a run of it used, brought together from a folder or a bundle."""
