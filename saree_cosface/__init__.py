"""Names the craft tradition of a saree from photographs, by cosine similarity.

Importing this package is light: torch and its kin are loaded by the modules that need them.
"""

__version__ = "0.1.0"
