"""A page of the documents is run, and what it prints compared, or written into the page."""

import os
from pathlib import Path

from tests.helpers.documents import DOCS, ROOT, RUN, Block, blocks, calls, differs, pages, run_python
from tests.helpers.stage import Stage

TOUR = DOCS / "start" / "tour.md"
"""What this page makes, the blocks of all others find."""

RENEW = "SAREE_COSFACE_RENEW" in os.environ


def named(page: Path) -> str:
    return str(page.relative_to(ROOT).with_suffix(""))


def runs(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.language in RUN]


def run_pages() -> list[Path]:
    """The pages that run something, besides the tour."""
    return [page for page in pages() if page != TOUR and runs(page)]


def all_said(page: Path, stage: Stage) -> list[str]:
    """Run the blocks of a page in the current folder; what went otherwise than the page says."""
    said, names, found = [], {}, blocks(page)
    renewed: list[tuple[Block, str]] = []
    for block, after in zip(found, [*found[1:], None], strict=True):
        if block.language == "console":
            again = ""
            for command, expected in calls(block.text):
                status, printed = stage.run(command)
                wrong = differs(expected, printed) if expected else ""
                if status or wrong:
                    said.append(f"{block}: {command}: status {status}, {wrong}\n{printed}")
                again += f"$ {command}\n{printed if wrong else expected}"
            renewed.append((block, again))
        elif block.language == "sh":
            said += [f"{block}: {command}: {wrong}" for command, wrong in stage.run_block(block.text)]
        elif block.language == "slurm":
            said += [f"{block}: {wrong}" for wrong in stage.run_slurm(block.text)]
        elif block.language == "systemd":
            said += [f"{block}: {wrong}" for wrong in stage.run_unit(block.text)]
        elif block.language == "python":
            printed = run_python(stage.typed(block.text)[0], names)
            text = page.read_text(encoding="utf-8")
            follows = (
                after is not None and after.language == "text" and not text[block.end + 3 : after.start - 8].strip()
            )
            wrong = differs(after.text if follows else "", printed)
            if wrong:
                said.append(f"{block}: {wrong}\n{printed}")
                renewed += [(after, printed)] if follows else []
    if RENEW and said:
        renew(page, renewed)
    return said


def tidy(printed: str) -> str:
    """What is printed without blanks at the ends of lines, lines of blanks, and bars that tell of progress."""
    lines = (line.rstrip() for line in printed.splitlines())
    return "".join(f"{line}\n" for line in lines if line and "it/s" not in line)


def renew(page: Path, renewed: list[tuple[Block, str]]) -> None:
    text = page.read_text(encoding="utf-8")
    for block, again in sorted(renewed, key=lambda each: -each[0].start):
        if calls(block.text) != calls(again) or block.language == "text":
            text = text[: block.start] + tidy(again) + text[block.end :]
    page.write_text(text, encoding="utf-8")
