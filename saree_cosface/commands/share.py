"""``saree-cosface share``, ``push`` and ``pull``: a run given away, to a hub and from there."""

from pathlib import Path

from jsonargparse import Namespace

from saree_cosface.commands.common import Command, Subcommands, add_json, add_run, finish, new_parser
from saree_cosface.console import console
from saree_cosface.sharing.licences import NOT_CHOSEN

HELP = {
    "share": "make a run that can be given away",
    "push": "put a shared run on a hub",
    "pull": "fetch a shared run from a hub",
}
"""What they do, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the commands."""
    share = new_parser(
        "Make a run that can be given away: embedder, prototypes, reference vectors, calibration, a card and\n"
        "credits; no photo, no thumbnail, no path, and no name of a source that the column public of the run's\n"
        "manifest does not allow. It answers as the run does. Example: saree-cosface share runs/museum --out\n"
        "museum-shared --licence CC-BY-NC-4.0"
    )
    add_run(share)
    share.add_argument("--out", type=Path, required=True, help="folder to make")
    share.add_argument(
        "--licence", type=str, default=NOT_CHOSEN, help="of what is shared, as SPDX names it, such as CC-BY-4.0"
    )
    share.add_argument(
        "--with-enrolled", action="store_true", help="photos enrolled after training go in, too, as vectors"
    )
    add_json(share, "what was shared")
    subcommands.add_subcommand("share", share, help=HELP["share"])

    push = new_parser(
        "Put a shared run on a hub of models, through huggingface_hub: it is logged in to with `hf auth login` or\n"
        "HF_TOKEN; HF_ENDPOINT names another hub than huggingface.co. A run that `share` did not make is refused."
    )
    push.add_argument("folder", type=Path, help="folder that `saree-cosface share` made")
    push.add_argument("repository", type=str, help="its name there, OWNER/NAME; made if need be")
    push.add_argument("--private", action="store_true", help="seen by its owner alone")
    add_json(push, "its address")
    subcommands.add_subcommand("push", push, help=HELP["push"])

    pull = new_parser(
        "Fetch a shared run from a hub. Nothing is taken but the files of a shared run; none of them is unpickled,\n"
        "and each must have the checksum that was told of it."
    )
    pull.add_argument("repository", type=str, help="OWNER/NAME")
    pull.add_argument("--out", type=Path, required=True, help="folder to make")
    pull.add_argument("--revision", type=str | None, help="branch, tag or commit (default: the newest)")
    add_json(pull, "what came")
    subcommands.add_subcommand("pull", pull, help=HELP["pull"])
    return {"share": _share, "push": _push, "pull": _pull}


def _share(options: Namespace) -> int:
    from saree_cosface.sharing.share import share

    shared = share(options.run, options.out, options.licence, with_enrolled=options.with_enrolled)
    shared.print_summary(console)
    return finish(options, shared.to_json())


def _push(options: Namespace) -> int:
    from saree_cosface.sharing.hub import push

    address = push(options.folder, options.repository, private=options.private)
    console.print(f"Shared: {address}", highlight=False, markup=False, soft_wrap=True)
    return finish(options, {"repository": options.repository, "address": address})


def _pull(options: Namespace) -> int:
    from saree_cosface.sharing.hub import pull

    run = pull(options.repository, options.out, revision=options.revision)
    assert run.share is not None
    said = f"Run: {run.folder}  ({len(run.gallery)} references of {len(run.gallery.crafts)} crafts)"
    console.print(f"{said}, under {run.share.licence}", highlight=False, markup=False, soft_wrap=True)
    crafts = run.gallery.crafts
    return finish(options, {"run": str(run.folder), "licence": run.share.licence, "crafts": crafts})
