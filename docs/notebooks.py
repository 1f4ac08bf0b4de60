"""The notebooks with what they print and draw: ``make notebooks`` runs them anew, on drawn sarees or without any data.

Kept are small outputs: pictures no wider than a page and in few bytes, text without bars that tell of progress, nothing
of the machine it ran on. Somebody who reads a notebook without running it sees what it is about.
"""

import argparse
import base64
import io
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

from saree_cosface.files import atomic_path

FOLDER = Path(__file__).parents[1] / "notebooks"
LARGEST = 400_000
"""Bytes of a notebook, outputs included."""

_WIDTH = 640  # pixels
_USERS = ("PHOTOS", "CONTACT", "RUN", "MANIFEST", "CACHE", "FACES", "EXPERIMENTS", "TINY")
_BAR = re.compile(r"[━╸╺]{5,}.*\d+:\d\d|\bit/s\b")
_WARNING = re.compile(
    r"^\S+:\d+: \w+Warning: (?:.*\n)(?:support\n)?(?:  .*\n)?", re.MULTILINE
)  # its own line may be wrapped


def keep(path: Path) -> int:
    """Run a notebook in a folder of its own and write it with its outputs; how many bytes it has.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed; nothing is written.
        ValueError: there is more output than is kept; likewise.
    """
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory(prefix="notebook-") as name:
        folder = Path(name).resolve()
        for variable in _USERS:
            os.environ.pop(variable, None)
        os.environ |= {"WORK": "work", "EXPERIMENTS": str(FOLDER.parent / "benchmarks" / "faces")}
        run = NotebookClient(notebook, timeout=3600, kernel_name="python3", resources={"metadata": {"path": folder}})
        run.execute()
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # when it ran
            if cell.cell_type == "code":
                cell.outputs = small(cell.outputs, folder)
    text = nbformat.writes(notebook) + "\n"
    size = len(text.encode())
    if size > LARGEST:
        raise ValueError(f"{path.name}: {size:,} bytes with its outputs; {LARGEST:,} are allowed. Print and draw less.")
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return size


def small(outputs: list[Any], folder: Path) -> list[Any]:
    """Outputs as they are kept: what a cell wrote as one text, and its pictures, in few bytes.

    Args:
        outputs: of a cell that ran.
        folder: it ran in, which is not named.
    """
    kept: list[Any] = []
    for output in outputs:
        data = output.get("data", {})
        if picture := data.get("image/png"):
            shown = nbformat.v4.new_output("display_data", data=_in_few_bytes(base64.b64decode(picture)))
        elif "text/markdown" in data:
            shown = nbformat.v4.new_output(
                "display_data", data={"text/markdown": _plain(data["text/markdown"], folder)}
            )
        else:
            text = _plain(output.get("text", data.get("text/plain", "")), folder)
            if not text.strip():
                continue
            if kept and kept[-1].output_type == "stream":
                kept[-1].text += text
                continue
            shown = nbformat.v4.new_output("stream", name="stdout", text=text)
        kept.append(shown)
    return kept


def _plain(text: str, folder: Path) -> str:
    text = _WARNING.sub("", re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)).replace(f"{folder}/", "")
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines() if not _BAR.search(line))


def _in_few_bytes(picture: bytes) -> dict[str, str]:
    """A figure in few colours, or a sheet of photos as JPEG, whichever is smaller."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    if image.width > _WIDTH:
        size = _WIDTH, round(image.height * _WIDTH / image.width)
        image = image.resize(size, Image.Resampling.LANCZOS)
    drawn, photographed = io.BytesIO(), io.BytesIO()
    image.quantize(32, dither=Image.Dither.NONE).save(drawn, "PNG", optimize=True)
    image.save(photographed, "JPEG", quality=55, optimize=True)
    kind, found = min((("image/png", drawn), ("image/jpeg", photographed)), key=lambda each: len(each[1].getvalue()))
    return {kind: base64.b64encode(found.getvalue()).decode()}


def main() -> int:
    """Run some of them, or all."""
    names = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
    parser = argparse.ArgumentParser(prog="python -m docs.notebooks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)} (default: all)")
    chosen = parser.parse_args().names or names
    if unknown := sorted(set(chosen) - set(names)):
        parser.error(f"there is no notebook {unknown[0]}: there are {', '.join(names)}")
    for name in chosen:
        print(f"{name}: {keep(FOLDER / f'{name}.ipynb'):,} bytes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
