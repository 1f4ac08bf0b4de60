"""A run whose photos may be removed and replaced."""

import shutil
from pathlib import Path

from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.runs.gallery import Gallery
from saree_cosface.runs.run import Run, load_run


def moved_run(run: Run, folder: Path) -> Run:
    """A copy of a run, and of its photos, below a folder that is to be made."""
    copy = shutil.copytree(run.folder, folder / "run")
    manifest = read_manifest(copy / "manifest.csv", taxonomy=None)
    places = {str(path): str(folder / "photos" / f"{row}{path.suffix}") for row, path in enumerate(manifest.files())}
    (folder / "photos").mkdir()
    for before, after in places.items():
        shutil.copy(before, after)
    write_manifest(manifest.table.assign(path=manifest.table["path"].map(places)), copy / "manifest.csv")
    gallery = Gallery.load(copy / "gallery")
    references = gallery.references.assign(path=gallery.references["path"].map(places))
    Gallery(gallery.embeddings, references).save(copy / "gallery")
    return load_run(copy)
