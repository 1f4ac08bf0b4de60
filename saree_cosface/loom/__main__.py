"""``python -m saree_cosface.loom MANIFEST`` prints the statistics of a drawn corpus as JSON."""

import json
import sys
from pathlib import Path

from saree_cosface.loom.options import LoomOptions
from saree_cosface.loom.statistics import measure, seconds_per_photo


def main(arguments: list[str]) -> int:
    """Print the statistics of one corpus; return the exit status."""
    if len(arguments) != 1:
        print("usage: python -m saree_cosface.loom MANIFEST", file=sys.stderr)
        return 2
    manifest = Path(arguments[0])
    try:
        drawn = json.loads((manifest.parent / "loom.json").read_text(encoding="utf-8"))
        del drawn["drawing"]
        found = {**measure(manifest), "processor_seconds_per_photo": round(seconds_per_photo(LoomOptions(**drawn)), 3)}
    except OSError as error:
        print(f"{error.filename}: {error.strerror}; give the manifest of a corpus drawn by the loom", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
