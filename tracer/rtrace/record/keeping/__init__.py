"""Outputs kept in a data store: which one a person configured, and the copies by digest, in folders and over WebDAV."""
