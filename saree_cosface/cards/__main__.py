"""``python -m saree_cosface.cards`` writes the Croissant documents in ``data_cards/`` of a checkout anew."""

import sys
from pathlib import Path

from saree_cosface.cards.packaged import documents
from saree_cosface.files import write_json


def main(folder: Path) -> int:
    """Write them into a folder that holds the taxonomy; the exit status."""
    for name, document in documents(folder).items():
        write_json(folder / name, document)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parents[2] / "data_cards"))
