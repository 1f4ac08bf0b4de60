"""Figures drawn with matplotlib, from arrays and documents alone."""
