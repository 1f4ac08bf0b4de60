"""Names the craft tradition of a saree from photographs, by cosine similarity.

Importing this package is light: torch and its kin are loaded by the modules that need them.
"""

import os

# albumentations asks a server for its newest version on import; nothing here calls home.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

__version__ = "0.1.0"
