"""``saree-cosface export``: the embedder of a run as a file that other programs run."""

from dataclasses import asdict
from pathlib import Path
from typing import Literal

from jsonargparse import Namespace

from saree_cosface.commands.common import Command, Subcommands, add_json, add_run, finish, new_parser
from saree_cosface.console import console


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
    add_json(export)
    subcommands.add_subcommand("export", export, help="write the embedder as ONNX or OpenVINO")
    return {"export": _run}


def _run(options: Namespace) -> int:
    from saree_cosface.networks.export import export
    from saree_cosface.runs.alone import alone_at
    from saree_cosface.runs.run import load_run

    run = load_run(options.run)
    out = options.out or options.run / "export"
    with alone_at(out, options.run, "export"):
        found = export(run.embedder, out, options.format)
    console.print(
        f"{', '.join(map(str, found.files))}: cosine with the run at least {found.cosine:.6f}, coordinates within "
        f"{found.difference:.1e}.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    return finish(options, {**asdict(found), "files": [str(path) for path in found.files], "format": options.format})
