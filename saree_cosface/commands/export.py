"""``saree-cosface export``: the embedder of a run as a file that other programs run."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jsonargparse import Namespace

from saree_cosface.commands.common import Command, Subcommands, add_json, add_run, finish, new_parser
from saree_cosface.console import console

if TYPE_CHECKING:
    from saree_cosface.runs.run import Run


HELP = {"export": "write the embedder as ONNX or OpenVINO"}
"""What it does, in a line."""


def add(subcommands: Subcommands) -> dict[str, Command]:
    """Add the command."""
    export = new_parser(
        "Write the embedder of a run as ONNX, or as OpenVINO's own kind of file, for programs that have no torch:\n"
        "pixels of views in, uint8 (B, S, S, 3), unit embeddings out. It is tried first, and how far it is from the\n"
        "run is told."
    )
    add_run(export)
    export.add_argument("--format", type=Literal["onnx", "openvino"], default="onnx", help="kind of file")
    export.add_argument("--out", type=Path | None, help="folder to write into (default: export in the run)")
    export.add_argument(
        "--int8",
        action="store_true",
        help="in eight bits, calibrated on photos: written only if it says what the run says",
    )
    export.add_argument(
        "--photos",
        type=Path | None,
        metavar="MANIFEST",
        help="for --int8, photos to calibrate on and to compare on (default: those that the run was made from)",
    )
    add_json(export)
    subcommands.add_subcommand("export", export, help=HELP["export"])
    return {"export": _run}


def _run(options: Namespace) -> int:
    from saree_cosface.networks.export import export
    from saree_cosface.runs.alone import alone_at
    from saree_cosface.runs.run import load_run

    if options.photos is not None and not options.int8:
        raise ValueError("--photos are calibrated on, which --int8 alone does: give both, or neither.")
    run = load_run(options.run)
    out = options.out or options.run / "export"
    if options.int8:
        return _int8(options, run, out)
    with alone_at(out, options.run, "export"):
        found = export(run.embedder, out, options.format)
    told = f"cosine with the run at least {found.cosine:.6f}, coordinates within {found.difference:.1e}."
    _say(found.files, told)
    return finish(options, {**asdict(found), "files": [str(path) for path in found.files], "format": options.format})


def _int8(options: Namespace, run: "Run", out: Path) -> int:
    from saree_cosface.data.manifest_file import read_manifest
    from saree_cosface.runs.alone import alone_at
    from saree_cosface.scoring.int8 import export_int8

    photos = read_manifest(options.photos, on_unknown="keep") if options.photos else None
    with alone_at(out, options.run, "export"):
        found = export_int8(run, out, options.format, photos=photos)
    seen = found.comparison
    _say(
        found.files,
        f"calibrated on {found.calibrated} photos. On {seen.photos} others: cosine with single precision at least "
        f"{seen.cosine:.4f}, {seen.mean_cosine:.4f} in the mean; top-1 {100 * seen.top1:.1f} instead of "
        f"{100 * seen.exact_top1:.1f}, {seen.changed} taken for another tradition; {seen.faster:.1f} times as fast "
        "here.",
    )
    files = [str(path) for path in found.files]
    document = {"files": files, "format": options.format, "calibrated": found.calibrated, **asdict(seen)}
    return finish(options, document)


def _say(files: tuple[Path, ...], told: str) -> None:
    console.print(f"{', '.join(map(str, files))}: {told}", highlight=False, markup=False, soft_wrap=True)
