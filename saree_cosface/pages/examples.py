"""Photos to try a run with, where somebody has none at hand."""

from contextlib import suppress
from pathlib import Path

from saree_cosface.data.content import same_content
from saree_cosface.data.images import BadImage
from saree_cosface.data.manifest import ManifestError
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.loom.corpus import Piece, draw_piece
from saree_cosface.loom.crafts import GRAMMARS
from saree_cosface.loom.options import LoomOptions
from saree_cosface.runs.run import Run

COUNT = 6

_SEED = 4711  # of other sarees than those that anybody trained on


def example_photos(run: Run, folder: Path, count: int = COUNT) -> list[tuple[Path, str]]:
    """Photos of different crafts, each with the id of its craft, of sources that the run never saw.

    Held-out photos of the run whose files are still there, and the same. If none are, the loom draws some into
    ``folder``, of crafts that the run knows if it knows any that the loom can draw.
    """
    try:
        manifest = read_manifest(run.folder / "manifest.csv", taxonomy=None)
    except (ManifestError, OSError):
        manifest = None
    found: dict[str, Path] = {}
    if manifest is not None:
        parts = manifest.table["split"].to_numpy(str)
        for file, craft, part, sha256 in zip(
            manifest.files(), manifest.crafts, parts, manifest.table["sha256"], strict=True
        ):
            if part == "test" and craft in run.gallery.crafts and craft not in found:
                with suppress(BadImage):
                    same_content(file, sha256)
                    found[str(craft)] = file
    if found:
        return [(found[craft], craft) for craft in sorted(found)[:count]]
    options = LoomOptions(pieces_per_craft=1, photos_per_piece=1, seed=_SEED)
    crafts = [craft for craft in run.gallery.crafts if craft in GRAMMARS] or list(GRAMMARS)
    drawn = []
    for number, craft in enumerate(crafts[:count]):
        _, rows = draw_piece((folder, options, Piece(craft, 0, number % options.shops)))
        drawn.append((folder / rows[0]["path"], craft))
    return drawn
