"""A run made into one that can be given away, which everything reads as it reads any other.

What names a photo, a person or a folder is not copied: each file is written anew from what may go out. Nothing that an
answer is computed from changes, so the shared run answers as the run does, to the last digit.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from rich.console import Console

from saree_cosface.data.manifest import Manifest, ManifestError
from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.data.values import text_of
from saree_cosface.files import write_json, write_text
from saree_cosface.runs.calibration import FOLDER as CALIBRATION
from saree_cosface.runs.folder import CONFIG, MANIFEST, settings_without_names
from saree_cosface.runs.gallery import COLUMNS, Gallery
from saree_cosface.runs.parts import PARTS
from saree_cosface.runs.run import Run, load_run
from saree_cosface.runs.share import Share
from saree_cosface.scoring.before_after import EVALUATION
from saree_cosface.scoring.held_out import CHOSE_EPOCH
from saree_cosface.scoring.model_card import evaluation_of
from saree_cosface.sharing.card import CREDITS, README, credits_text, hub_card
from saree_cosface.sharing.contents import checksums
from saree_cosface.sharing.errors import ShareError
from saree_cosface.sharing.licences import NOT_CHOSEN, UNKNOWN, doubts, licence_of, require_licence
from saree_cosface.sharing.names import Names, neutral_names, public_photos
from saree_cosface.sharing.new_folder import new_folder

_IDENTITY = ["path", "craft", "source", "piece", "shared_piece"]

_DRAWN = "drawn by the loom"

_SCORES = (
    *("protocol", "split_hash", "manifest_sha256", "counts", "skipped", "metrics", "cmc", "shortcut_gap"),
    *("confidence", "verdicts", "per_craft", "confusion"),
)
"""What an evaluation says that names nobody."""


@dataclass(frozen=True)
class Shared:
    """A run that was shared.

    Attributes:
        folder: where it lies.
        licence: of it.
        photos: that it learned from, or held out.
        named: sources that go by their names.
        numbered: sources that go by numbers.
        enrolled: crafts of which photos were enrolled after training, and go out too.
        doubts: what speaks against the licence, in words.
    """

    folder: Path
    licence: str
    photos: int
    named: int
    numbered: int
    enrolled: tuple[str, ...]
    doubts: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """One JSON document."""
        return {**vars(self), "folder": str(self.folder)}

    def print_summary(self, out: Console) -> None:
        """For people."""
        said = f"Shared run: {self.folder}, under {self.licence}. It rests on {self.photos} photos, of which none is in"
        sources = f" it; {self.numbered} sources go by numbers, {self.named} by their names."
        out.print(said + sources, highlight=False, markup=False, soft_wrap=True)
        if self.enrolled:
            names = ", ".join(self.enrolled)
            out.print(f"Enrolled photos went in, too, of {names}.", highlight=False, markup=False, soft_wrap=True)
        for doubt in self.doubts:
            out.print(doubt, style="yellow", highlight=False, markup=False, soft_wrap=True)
        read = f"Read {self.folder / README} and {self.folder / CREDITS} before you give it away."
        out.print(read, highlight=False, markup=False, soft_wrap=True)


def share(folder: Path, out: Path, licence: str = NOT_CHOSEN, *, with_enrolled: bool = False) -> Shared:
    """Write a run that can be given away: no photo or thumbnail, no path, no name of a source that is not public.

    A source is named where the column ``public`` of the run's manifest says yes of its photos, whose credits are given
    then; photos that were enrolled as of such a source go by its name, too.

    Args:
        folder: of the run.
        out: folder to make.
        licence: of what is shared, by its name in SPDX; where none is chosen, that is said.
        with_enrolled: photos that were enrolled after training go in, too: their vectors and the name of their
            tradition. Without it a run that has such is refused.

    Raises:
        ShareError: there is something at ``out`` already; SPDX knows no such licence; the run's list of photos is gone,
            or says of a photo neither yes nor no, or both of one source; or it has enrolled photos.
        RunError: it is no run, or not finished.
    """
    licence = require_licence(licence)
    run = load_run(folder)
    enrolled = _enrolled(run, with_enrolled)
    names, listed = listed_photos(run)
    with new_folder(out, "share") as made:
        _write(run, listed, names, made)
        Share(licence, {}).save(made)  # by which the card finds out that it is of a shared run
        told = doubts(licence, Counter(map(licence_of, listed["licence"])))
        shared = load_run(made)
        write_text(made / README, hub_card(shared, listed, told))
        write_text(made / CREDITS, credits_text(listed))
        Share(licence, checksums(made)).save(made)
    sources = {name: other for name, other in names.sources.items() if name}
    named = sum(name == other for name, other in sources.items())
    return Shared(Path(out), licence, len(listed), named, len(sources) - named, enrolled, told)


def listed_photos(run: Run) -> tuple[Names, pd.DataFrame]:
    """The photos of a run as it lists them where it is shared, and the names that everything has there.

    Raises:
        ShareError: the run's list of photos is gone, or says of a photo neither yes nor no.
    """
    manifest = _manifest(run)
    public = public_photos(manifest, run.folder / MANIFEST)
    names = neutral_names(_photos(run, manifest, public))
    return names, _listed(manifest, names, public)


def _manifest(run: Run) -> Manifest:
    """The photos that the run has had to do with."""
    try:
        manifest = read_manifest(run.folder / MANIFEST, taxonomy=None)
    except ManifestError as error:
        raise ShareError(
            f"{error} Without it nobody knows on whose photos the run rests, so it is not shared."
        ) from error
    return manifest.select(manifest.table["split"].isin(PARTS).to_numpy())


def _enrolled(run: Run, agreed: bool) -> tuple[str, ...]:
    """Crafts of references that were enrolled after training."""
    references = run.gallery.references
    later = references[[run.used.get(content) != "train" for content in references["sha256"]]]
    crafts = tuple(sorted(set(later["craft"])))
    if len(later) and not agreed:
        raise ShareError(
            f"{run.folder}: {len(later)} of {len(references)} references were enrolled after training, of "
            f"{', '.join(crafts)}, and nobody has said that they may be given away. With --with-enrolled their vectors "
            "and the names of these traditions go out, without who enrolled them and what was noted; or take them back "
            "with `saree-cosface enrolments RUN --undo NUMBER`."
        )
    return crafts


def _photos(run: Run, manifest: Manifest, public: "pd.Series[bool]") -> pd.DataFrame:
    """Every photo of the run once, those enrolled too, and whether its source may be named."""
    columns = [*_IDENTITY, "sha256"]
    listed = manifest.table[columns].assign(public=public)
    references = run.gallery.references[columns]
    references = references.assign(public=references["source"].isin(set(listed["source"][public]) - {""}))
    table = pd.concat([listed, references], ignore_index=True)
    table["piece"] = table["piece"].where(table["piece"] != table["path"], "")
    return table.drop_duplicates(_IDENTITY, ignore_index=True)  # the first is the manifest's


def _listed(manifest: Manifest, names: Names, public: "pd.Series[bool]") -> pd.DataFrame:
    """The photos of the manifest as the shared run lists them."""
    table = manifest.table
    drawn = table["note"].str.contains(_DRAWN, regex=False)
    credit = table["credit"].map(text_of) if "credit" in table.columns else pd.Series("", index=table.index)
    licence = table["licence"].map(licence_of).replace(UNKNOWN, "")
    return names.of(table).assign(
        view="",
        licence=licence.where(~public, table["licence"]),
        split=table["split"],
        note=np.where(drawn, _DRAWN, ""),
        credit=credit.where(public, ""),
        public=np.where(public, "yes", "no"),
    )


def _write(run: Run, listed: pd.DataFrame, names: Names, made: Path) -> None:
    write_text(made / CONFIG, yaml.safe_dump(settings_without_names(run.folder), sort_keys=False, allow_unicode=True))
    write_manifest(listed, made / MANIFEST)
    sources = {
        part: sorted(names.sources[each] for each in run.sources.get(part, ()) if each in names.sources)
        for part in PARTS
    }
    used = {content: part for content, part in run.used.items() if part in PARTS}
    dealt = {"split_hash": run.split_hash, "crops_together": run.crops_together}
    write_json(made / "parts.json", {"used": used, "sources": sources, **dealt})
    run.embedder.save(made / "embedder")
    references = names.of(run.gallery.references).assign(view="", thumbnail="")
    references["piece"] = references["piece"].where(references["piece"] != "", references["path"])
    Gallery(np.asarray(run.gallery.embeddings), references[list(COLUMNS)]).save(made / "gallery")
    if run.calibration is not None:
        run.calibration.save(made / CALIBRATION)
    evaluation, _ = evaluation_of(run)
    # One with other traditions has the names of some that were enrolled and taken back.
    if evaluation is not None and set(evaluation["confusion"]["classes"]) <= set(run.gallery.crafts):
        write_json(made / "evaluation" / "source" / EVALUATION, _without_names(evaluation, names))
    finished = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    write_json(made / "run.json", {name: finished.get(name) for name in ("best_epoch", "score", "classes")})


def _without_names(evaluation: dict[str, Any], names: Names) -> dict[str, Any]:
    per_source = {names.sources.get(source, ""): score for source, score in evaluation["per_source"].items()}
    return {
        **{name: evaluation[name] for name in _SCORES if name in evaluation},
        "remarks": [remark for remark in evaluation["remarks"] if remark == CHOSE_EPOCH],
        "per_source": {source: score for source, score in per_source.items() if source},
        "photos": [{name: photo[name] for name in ("craft", "answer")} for photo in evaluation["photos"]],
    }
