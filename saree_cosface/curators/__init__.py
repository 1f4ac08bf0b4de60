"""The curators' table: maps of a collection, a queue of what to look at, and decisions that last."""
