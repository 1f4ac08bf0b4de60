"""Files of the repository that are pages of the site as well, and the links to them."""

import os
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from saree_cosface.files import write_text

FOLDER = "reference/repository"
SHOWN = ("benchmarks/RESULTS.md", "data_cards/*.md", "CHANGELOG.md", "CONTRIBUTING.md", "THIRD_PARTY.md")
LINK = re.compile(r"\]\((?P<file>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)")


def pages(root: Path) -> dict[Path, Path]:
    """Each file of the repository that is shown, and the page that shows it.

    Args:
        root: folder of all pages.
    """
    files = [file for pattern in SHOWN for file in sorted(root.parent.glob(pattern))]
    return {file: root / FOLDER / f"{file.stem.lower()}.md" for file in files}


def led(text: str, written: Path, page: Path, shown: dict[Path, Path]) -> str:
    """Markdown with its links led to where they are from a page of the site.

    Args:
        text: to be shown on the page.
        written: file that it was written in, which its links are relative to.
        page: file of the page.
        shown: files that are pages themselves.

    >>> page, results = Path("/r/docs/how-to/gpu.md"), Path("/r/benchmarks/RESULTS.md")
    >>> led("[all](../../benchmarks/RESULTS.md#threads)", page, page, {results: Path("/r/docs/reference/results.md")})
    '[all](../reference/results.md#threads)'
    """

    def replaced(link: re.Match[str]) -> str:
        meant = Path(os.path.normpath(written.parent / link["file"]))
        return f"]({os.path.relpath(shown.get(meant, meant), page.parent)}{link['anchor'] or ''})"

    return LINK.sub(replaced, text)


def write_pages(app: Sphinx) -> None:
    """Write the pages into the folder of the sources, where they are ignored by git; what they show is read later."""
    for page in pages(Path(app.srcdir)).values():
        write_text(page, "")


def lead(app: Sphinx, name: str, source: list[str]) -> None:
    """Lead the links of a page that was just read; a page that shows a file of the repository is that file."""
    page, shown = Path(app.env.doc2path(name)), pages(Path(app.srcdir))
    written = next((file for file, its in shown.items() if its == page), page)
    source[0] = led(source[0] if written == page else written.read_text(encoding="utf-8"), written, page, shown)


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the pages before Sphinx looks for what there is, and read every page so."""
    app.connect("builder-inited", write_pages)
    app.connect("source-read", lead)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
