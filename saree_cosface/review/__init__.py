"""The review: what in a collection is worth another look, ranked, with reasons."""
