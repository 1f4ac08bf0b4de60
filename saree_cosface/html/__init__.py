"""Pieces of HTML that every page is made of."""
