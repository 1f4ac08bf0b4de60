"""A corpus of drawn sarees: which shop sells which piece, drawn in parallel, resumed where it was left."""

import csv
import io
import json
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from saree_cosface.console import track
from saree_cosface.files import atomic_path, sha256_of, write_json, write_text
from saree_cosface.loom.crafts import GRAMMARS
from saree_cosface.loom.light import swatch
from saree_cosface.loom.options import LoomOptions
from saree_cosface.loom.shops import open_shop, photograph
from saree_cosface.loom.views import VIEWS
from saree_cosface.machine import threads
from saree_cosface.machine.processes import done

DRAWING = 2  # raise when the same options no longer draw the same photographs
COLUMNS = ("path", "craft", "piece", "view", "source", "licence", "split", "sha256", "note", "confounded")


@dataclass(frozen=True)
class Piece:
    """One saree: its craft, its number within the craft, and the number of the shop that photographs it."""

    craft: str
    number: int
    shop: int

    @property
    def name(self) -> str:
        """The piece's id in the manifest."""
        return f"{self.craft}_{self.number:03d}"


def confounded_shops(options: LoomOptions) -> dict[int, str]:
    """Shops that sell mostly one craft, and which: three of every eight, each another craft."""
    crafts = list(GRAMMARS)
    return {shop: crafts[(5 * shop + options.seed) % len(crafts)] for shop in range(options.shops * 3 // 8)}


def pieces(options: LoomOptions) -> list[Piece]:
    """Every saree of the corpus, ordered by craft and number.

    A confounded shop sells 40 % of all pieces of its craft and, to every three of them, one piece of another craft.
    The remaining pieces go round the shops that sell everything, so a craft is sold by as many shops as it has pieces
    left for.
    """
    special = confounded_shops(options)
    everything = [shop for shop in range(options.shops) if shop not in special]
    own = {craft: shop for shop, craft in special.items()}
    mostly = round(0.4 * options.pieces_per_craft)
    visitors: dict[str, list[int]] = {craft: [] for craft in GRAMMARS}
    ordinary = [craft for craft in GRAMMARS if craft not in own]
    for index, shop in enumerate(special):
        for k in range(round(mostly / 3)):
            visitors[ordinary[(k + 4 * index) % len(ordinary)]].append(shop)
    out = []
    for index, craft in enumerate(GRAMMARS):
        away = visitors[craft][: max(0, options.pieces_per_craft - len(everything))]
        for number in range(options.pieces_per_craft):
            left = options.pieces_per_craft - 1 - number
            if craft in own and number < mostly:
                shop = own[craft]
            elif left < len(away):
                shop = away[left]
            else:
                shop = everything[(number + index) % len(everything)]
            out.append(Piece(craft, number, shop))
    return out


def draw_corpus(out: Path, options: LoomOptions) -> Path:
    """Draw sarees and photograph them: ``photos/CRAFT/*.jpg``, ``manifest.csv`` and ``shops.json`` in ``out``.

    A photograph depends on nothing but the options (``workers`` excepted), its craft, its piece and its number, so a
    corpus that was broken off goes on where it stopped and ends with the same bytes.

    Returns:
        The path of the manifest.

    Raises:
        ValueError: ``out`` holds a corpus that was drawn with other options.
        OSError: ``out`` cannot be written.
    """
    out = Path(out)
    claim(out, options)
    for stale in (out / "photos").glob("*/.*.jpg"):  # half-written when an earlier run was killed
        stale.unlink(missing_ok=True)
    work = pieces(options)
    jobs = [(out, options, piece) for piece in work]
    rows: dict[Piece, list[dict[str, str]]] = {}
    drawing = done(draw_piece, jobs, options.workers or threads.count())
    for _, (piece, drawn) in track(drawing, "Drawing sarees", total=len(jobs)):
        rows[piece] = drawn
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for piece in work:
        writer.writerows(rows[piece])
    write_json(out / "shops.json", _shop_cards(options))
    write_text(out / "manifest.csv", table.getvalue())
    return out / "manifest.csv"


def claim(out: Path, options: LoomOptions) -> None:
    """Write down what the folder's corpus is drawn with, or refuse if it is already something else.

    Raises:
        ValueError: ``out`` holds a corpus that was drawn with other options.
        OSError: ``out`` cannot be written.
    """
    wanted = {"drawing": DRAWING, **asdict(options)}
    del wanted["workers"]
    record = out / "loom.json"
    if not record.exists():
        write_json(record, wanted)
        return
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{record}: not readable as JSON; delete the folder and draw the corpus anew") from error
    if found != wanted:
        there = found if isinstance(found, dict) else {}
        differ = ", ".join(
            f"{key} {there.get(key)}, not {wanted[key]}" for key in wanted if there.get(key) != wanted[key]
        )
        raise ValueError(f"{out}: holds a corpus drawn with other options (its {differ}); choose another folder")


Job = tuple[Path, LoomOptions, Piece]
Rows = list[dict[str, str]]


def draw_piece(job: Job) -> tuple[Piece, Rows]:
    """Draw one saree and take those of its photographs that are not there yet; return the manifest's rows."""
    out, options, piece = job
    shop = open_shop(options.seed, piece.shop)
    confounded = confounded_shops(options).get(piece.shop)
    on = None
    rows = []
    for number in range(options.photos_per_piece):
        view = _view(options, piece, number, shop.views)
        path = out / "photos" / piece.craft / f"{piece.name}_{number}.jpg"
        if not path.exists():
            if on is None:
                rng = _rng(options, piece, 0)
                on = swatch(GRAMMARS[piece.craft](rng, shop.taste), rng)
            photo = photograph(shop, on, view, options.size, _rng(options, piece, 2 + number))
            with atomic_path(path) as temporary:
                Image.fromarray(photo).save(temporary, quality=shop.quality)
        rows.append(
            {
                "path": path.relative_to(out).as_posix(),
                "craft": piece.craft,
                "piece": piece.name,
                "view": view,
                "source": shop.name,
                "licence": "CC0-1.0",
                "split": "",
                "sha256": sha256_of(path),
                "note": "synthetic, drawn by the loom",
                "confounded": str(confounded is not None).lower(),
            }
        )
    return piece, rows


def _rng(options: LoomOptions, piece: Piece, purpose: int) -> np.random.Generator:
    return np.random.default_rng([options.seed, zlib.crc32(piece.craft.encode()), piece.number, purpose])


def _view(options: LoomOptions, piece: Piece, number: int, chances: Iterable[float]) -> str:
    """The view of a piece's photograph: drawn without putting back, so that a piece is seen from several sides."""
    names, weights = list(VIEWS), np.array(tuple(chances))
    order = _rng(options, piece, 1).choice(len(names), len(names), replace=False, p=weights)
    return names[int(order[number % len(names)])]


def _shop_cards(options: LoomOptions) -> dict[str, Any]:
    """What each shop is, for whoever audits a model: the truth about the shortcuts in this corpus."""
    special = confounded_shops(options)
    cards = {}
    for number in range(options.shops):
        shop = open_shop(options.seed, number)
        sold = [piece.craft for piece in pieces(options) if piece.shop == number]
        card = {key: value for key, value in asdict(shop).items() if key not in ("name", "taste")}
        card["views"] = dict(zip(VIEWS, shop.views, strict=True))
        cards[shop.name] = {
            "confounded_with": special.get(number),
            "pieces": {craft: sold.count(craft) for craft in GRAMMARS if craft in sold},
            **card,
        }
    return cards
