"""Draws synthetic sarees from craft grammars: a dataset that needs no download."""
