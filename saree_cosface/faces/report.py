"""One page on the experiments with faces: what was measured here beside what the paper published.

It is made of what the experiments left in one folder, and says what is not there yet. The same sections are written as
Markdown and as HTML with its pictures inside, and the main figure as PNG.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from saree_cosface import __version__
from saree_cosface.faces.report_sections import MAKERS, Section
from saree_cosface.files import write_text
from saree_cosface.html.page import escape, file_uri, page, table

EXPERIMENTS = {
    "losses": "faces losses",
    "normalization": "faces normalization",
    "sweep_margins": "faces sweep",
    "sweep_scales": "faces sweep",
    "toy": "faces toy --config CONFIG",
    "toy_digits": "faces toy",
    "margins": "faces margins",
    "lfw": "faces lfw --run RUN --images FOLDER --pairs pairs.txt",
    "megaface": "faces megaface --run RUN --images FOLDER",
    "challenge": "faces megaface --run RUN --devkit FOLDER --probes FOLDER --distractors FOLDER",
    "ytf": "faces ytf --run RUN --images FOLDER --splits splits.txt",
}
"""Documents that the experiments write, and the commands that do."""

FIGURE = "report.png"


class ReportError(ValueError):
    """There is nothing to report on; the message says what to do."""


def write_report(out: Path) -> dict[str, Any]:
    """Write ``report.md``, ``report.html`` and ``report.png`` from the experiments in a folder.

    Args:
        out: folder that the experiments wrote to.

    Returns:
        The experiments found, those missing with the command that makes each, and the files written.

    Raises:
        ReportError: there is no experiment, or a document is damaged.
        OSError: the folder cannot be written.
    """
    from saree_cosface.faces.figures import report_figure  # matplotlib is slow to import

    out = Path(out)
    found = {name: document for name in EXPERIMENTS if (document := _read(out / f"{name}.json"))}
    if not found:
        raise ReportError(
            f"{out} holds no experiment yet: run 'saree-cosface faces losses --config faces/laptop "
            f"--out {out}' first, or one of {', '.join(sorted(set(EXPERIMENTS.values())))}."
        )
    try:
        sections = [MAKERS[name](document) for name, document in found.items()]
        drawn = report_figure(found, out / FIGURE)
    except (KeyError, TypeError, IndexError) as error:
        raise ReportError(
            f"{out}: one of {', '.join(f'{name}.json' for name in found)} is not as this version writes it "
            f"({type(error).__name__}: {error}); run its command again, which trains nothing twice."
        ) from error
    missing = {name: f"saree-cosface {command}" for name, command in EXPERIMENTS.items() if name not in found}
    if drawn:
        sections.insert(0, Section("At a glance", figure=FIGURE, alt="The numbers of the tables below, as dots."))
    if missing:
        rows = [(name, f"{command} --out DIR") for name, command in missing.items()]
        said = "These experiments have not been run into this folder."
        sections.append(Section("What is not here yet", [said], ("experiment", "command"), rows))
    write_text(out / "report.md", _markdown(sections))
    write_text(out / "report.html", _html(sections, out))
    files = ["report.md", "report.html", *([FIGURE] if drawn else [])]
    return {"experiments": list(found), "missing": missing, "files": [str(out / name) for name in files]}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ReportError(f"{path}: damaged ({error}); delete it and run its command again.") from error
    # An experiment that was interrupted in its first training has rows without a number in them.
    rows = document.get("rows")
    return document if rows is None or any({"accuracy", "min_angle"} & set(row) for row in rows) else None


TITLE = "CosFace on faces: this engine beside the paper"
OPENING = (
    "The code that learns sarees, on the task its loss was invented for: do two photos show one person? Numbers that "
    "Wang et al. published (CosFace, arXiv:1801.09414) stand beside those measured here. They are not of one size: "
    "what was learned from, with which network and for how long stands in each table.",
)


def _markdown(sections: Sequence[Section]) -> str:
    lines = [f"# {TITLE}", "", *OPENING, ""]
    for section in sections:
        lines += [f"## {section.title}", ""]
        for paragraph in section.text:
            lines += [paragraph, ""]
        if section.head:
            lines.append("| " + " | ".join(section.head) + " |")
            lines.append("|---" * len(section.head) + "|")
            lines += ["| " + " | ".join(row) + " |" for row in section.rows]
            lines.append("")
        if section.figure:
            lines += [f"![{section.alt}]({section.figure})", ""]
    return "\n".join(lines)


def _html(sections: Sequence[Section], folder: Path) -> str:
    body = []
    for section in sections:
        parts = [f"<h2>{escape(section.title)}</h2>", *(f"<p>{escape(paragraph)}</p>" for paragraph in section.text)]
        if section.head:
            parts.append(table(section.head, section.rows, numbers="-" + "n" * (len(section.head) - 1)))
        if section.figure:
            source = file_uri(folder / section.figure)
            parts.append(
                f'<div class="plate wide" tabindex="0"><img src="{source}" alt="{escape(section.alt)}"></div>'
                if source
                else f"<p>{escape(section.figure)} is not in the folder.</p>"
            )
        body.append(f"<section>{''.join(parts)}</section>")
    opening = f"<h1>{escape(TITLE)}</h1><p>{escape(' '.join(OPENING))}</p>"
    command = f"saree-cosface faces report --out {escape(folder)}"
    made = f"Written by saree-cosface {escape(__version__)}: <code>{command}</code>"
    return page(TITLE, opening + "".join(body), made, kind="wraps")
