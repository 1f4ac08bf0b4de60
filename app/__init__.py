"""The app: upload photos of a saree, see the craft traditions nearest to it."""

import os

# Before gradio is imported anywhere: it would otherwise send usage statistics and look for a newer version.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

THREADS = "saree-cosface app"
"""With which the names of threads begin that make something ready, and are not waited for at the end."""
