"""A grammar of database schemas: worlds drawn by hypothesis, changed by random edits, written as SQL."""
