"""Cards of collections: what is in them, for people and for machines, and the questions that only people can answer."""
