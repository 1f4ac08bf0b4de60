"""What was gathered as others read it: the manifest, and whom to thank under which licence."""

import json
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd

from saree_cosface.console import console
from saree_cosface.data.csv_text import safe_cell
from saree_cosface.data.manifest import BASIS, CAPTION, COLUMNS
from saree_cosface.data.manifest_file import write_manifest
from saree_cosface.files import atomic_path, sha256_of, write_json, write_text
from saree_cosface.gathering.ledger import MANIFEST, MARK, Fetched, Ledger
from saree_cosface.gathering.records import UNKNOWN
from saree_cosface.taxonomy import craft_name

CREDITS = "CREDITS.md"
_WRITTEN = "manifest_sha256"  # of the manifest as it is written here, and as it was before

_BEFORE = """# Credits

Photographs found by `saree-cosface data gather`, each with its title, who made it, its licence and where it was
found. The files are as they were published there, large ones of Wikimedia Commons in the smaller size that it offers.
Whoever shows or passes on one of them, or something made of it such as a crop, names its maker and its licence, links
both, and says what was changed; what is made of a photo under CC BY-SA is passed on under the same licence. A photo
is labelled with the craft that it was found for: its maker has not said more.
"""


def write_listing(ledger: Ledger, licences: Sequence[str]) -> None:
    """Write the manifest and the credits of all photos of a folder under the licences asked for; where there is none,
    neither stays.

    Raises:
        OSError: they cannot be written.
    """
    photos = {craft: ledger.photos(craft, licences) for craft in sorted(ledger.crafts())}
    rows = [_row(entry) for each in photos.values() for entry in each]
    manifest, credits = ledger.folder / MANIFEST, ledger.folder / CREDITS
    _keep_edited(manifest)
    if not rows:
        manifest.unlink(missing_ok=True)
        credits.unlink(missing_ok=True)
        return
    table = pd.DataFrame(rows)
    before = [sha256_of(manifest)] if manifest.is_file() else []
    with atomic_path(manifest) as temporary:
        write_manifest(table.assign(**{name: "" for name in COLUMNS if name not in table}), temporary)
        mark = {**_mark(manifest.parent), _WRITTEN: [sha256_of(temporary), *before]}
        write_json(manifest.parent / MARK, mark)  # before the manifest is there, so that a kill leaves no doubt
    write_text(credits, _credits({craft: each for craft, each in photos.items() if each}))


def _keep_edited(manifest: Path) -> None:
    """Move a manifest aside that somebody has worked on since it was written here: nothing of that is lost."""
    if manifest.is_file() and sha256_of(manifest) not in _mark(manifest.parent).get(_WRITTEN, []):
        number = next(n for n in count(1) if not manifest.with_stem(f"{manifest.stem}-edited-{n}").exists())
        kept = manifest.rename(manifest.with_stem(f"{manifest.stem}-edited-{number}"))
        said = f"{manifest} was edited since it was written here: that version is {kept} now."
        console.print(said, style="yellow", highlight=False, markup=False, soft_wrap=True)


def _mark(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / MARK).read_text(encoding="utf-8")))


def _row(entry: Fetched) -> dict[str, str]:
    record = entry.record
    row = {
        "path": entry.path,
        "craft": entry.craft,
        "source": record.source,
        "licence": record.licence.name,
        "public": "yes",  # its maker may be named, and has to be in most: `saree-cosface share` asks for it
        "sha256": "" if entry.seen is None else entry.seen.sha256,
        BASIS: CAPTION,
        "title": record.title,
        "credit": record.credit,
        "creator": record.creator,
        "licence_url": record.licence.url,
        "landing": record.landing,
        "provider": record.provider,
        "found_by": record.service,
    }
    return {name: safe_cell(value) for name, value in row.items()}  # strangers have written some of it


def _credits(photos: dict[str, list[Fetched]]) -> str:
    lines = [_BEFORE]
    for craft, entries in photos.items():
        lines.append(f"## {_plain(craft_name(craft))}\n")
        lines += [_credit(entry) for entry in entries]
        lines.append("")
    return "\n".join(lines)


def _credit(entry: Fetched) -> str:
    record = entry.record
    creator = _plain(record.creator or UNKNOWN)
    by = f"[{creator}]({_url(record.creator_url)})" if record.creator_url else creator
    title = _plain(record.title or "Untitled")
    said = f"- `{entry.path}`: [{title}]({_url(record.landing)}) by {by}, "
    said += f"[{record.licence.name}]({_url(record.licence.url)}), at {_plain(record.provider)}"
    return f"{said}; also restricted: {_plain(record.restrictions)}" if record.restrictions else said


def _plain(said: str) -> str:
    """Text that Markdown takes as it stands: what strangers have written is no markup."""
    return "".join(f"\\{mark}" if mark in "\\`*[]<>" else mark for mark in said)


def _url(address: str) -> str:
    return address.replace("(", "%28").replace(")", "%29")
