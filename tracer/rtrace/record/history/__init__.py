"""A history: where records are kept, a folder of documents or a database, and how runs in it are found."""
