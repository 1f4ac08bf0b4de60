"""``saree-cosface data card``: a card of a collection, for people and for machines."""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from saree_cosface.commands.common import add_cache, add_json, add_where, finish, new_parser
from saree_cosface.console import console


def parser() -> ArgumentParser:
    """Its options."""
    card = new_parser(
        "Write the card of a collection: what it holds and lacks, counted and drawn (card.md, figures), the same for\n"
        "machines (croissant.json), and the questions that only people can answer. Called again, it counts anew; what\n"
        "people wrote stays."
    )
    card.add_argument("manifest", type=Path, help="CSV or Parquet manifest")
    card.add_argument("--out", type=Path, required=True, help="folder of the card")
    add_where(card, "measure")
    card.add_argument("--name", type=str | None, help="what a new card calls the collection (default: as its folder)")
    card.add_argument(
        "--crops", type=bool, default=True, help="also find crops of one photograph, by features that training uses too"
    )
    add_cache(card)
    add_json(card, "what was measured")
    return card


def run(options: Namespace) -> int:
    """Write it; the exit status."""
    from saree_cosface.cards.make import make_card

    card = make_card(
        options.manifest,
        options.out,
        where=options.where,
        name=options.name,
        crops=options.crops,
        cache=options.cache,
    )
    card.print_summary(console)
    return finish(options, card.to_json())
