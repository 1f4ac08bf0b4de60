"""How the pages in this folder become a site: ``make docs`` writes it to ``_build/html``, and needs no network for it.

A page is Markdown. What can be read off the code is not written twice: ``commands_reference`` and ``names_reference``
write the pages of the commands and of the public names before the others are read.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from saree_cosface import __version__

project = "saree-cosface"
author = "The saree-cosface authors"
copyright = author
release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "commands_reference",
    "names_reference",
    "links",
    "mathml",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
copybutton_prompt_text = "$ "
copybutton_line_continuation_character = "\\"

nitpicky = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_inherit_docstrings = False
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = "saree-cosface"
html_copy_source = False
html_show_sphinx = False
