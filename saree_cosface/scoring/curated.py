"""What curators changed to make a manifest, where it is scored."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saree_cosface.curation.versions import SUFFIX


def curated(path: Path, sha256: str) -> dict[str, Any] | None:
    """What curators changed to make a manifest, as `saree-cosface curate LOG apply` told it beside the manifest; None
    where nothing is told, or of another content than the manifest now has.

    Args:
        path: of the manifest.
        sha256: its fingerprint.
    """
    try:
        told = json.loads(path.with_suffix(SUFFIX).read_text(encoding="utf-8"))
        if told["to"]["sha256"] != sha256:
            return None
        return {"from": told["from"]["sha256"], **{name: told[name] for name in ("counts", "test_photos_changed")}}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def curated_in_words(found: Mapping[str, Any]) -> str:
    """How many photos people changed, and how many of these are scored.

    >>> counts = {"relabel": {"test": 2, "train": 3}, "exclude": {"test": 0}}
    >>> curated_in_words({"counts": counts, "test_photos_changed": 2})
    'Curators made this manifest: 5 relabelled (test 2, train 3). 2 held-out photos were changed, by people.'
    """
    words = {
        "relabel": "relabelled",
        "accept": "confirmed",
        "exclude": "excluded",
        "duplicate": "taken out as duplicates",
        "merge": "merged into other pieces",
    }
    parts = []
    for kind, by_part in found["counts"].items():
        number = sum(by_part.values())
        if number:
            where = ", ".join(f"{part} {count}" for part, count in sorted(by_part.items()) if count)
            parts.append(f"{number} {words.get(kind, kind)} ({where})")
    changed = found["test_photos_changed"]
    held = f"{changed} held-out photo{'s were' if changed != 1 else ' was'} changed, by people"
    return f"Curators made this manifest: {'; '.join(parts) or 'nothing changed'}. {held}."
