"""Maps of a collection: to print, and to explore in a browser."""
