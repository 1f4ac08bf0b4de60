"""The card of a run in its own folder, written after each command that learns something of it."""

import hashlib
import re

from saree_cosface.console import console
from saree_cosface.files import write_text
from saree_cosface.runs.run import Run
from saree_cosface.sharing.card import README, hub_card
from saree_cosface.sharing.share import listed_photos

_MARK = "<!-- written by saree-cosface, and anew by its next command: {checksum} -->\n"
_MARKED = re.compile("\n" + _MARK.format(checksum="([0-9a-f]{16})") + r"\Z")


def write_own_card(run: Run) -> None:
    """Write README.md into the folder of a run, or say why there is none: it is not worth losing a training for.

    One that somebody has changed stays as it is. So does that of a shared run, which goes with what was shared.
    """
    if run.share is not None:
        return
    path = run.folder / README
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else None
        if before is not None and not _untouched(before):
            _say(f"{path} was changed by somebody, and stays as it is; move it away to have a new one.")
            return
        text = hub_card(run, listed_photos(run)[1])
        text = f"{text}\n{_MARK.format(checksum=_checksum(text))}"
        if text != before:  # a finished run may be on a disk that nobody may write
            write_text(path, text)
    except (OSError, ValueError) as error:
        _say(f"No card was written: {error}")


def _untouched(text: str) -> bool:
    mark = _MARKED.search(text)
    return mark is not None and mark[1] == _checksum(text[: mark.start()])


def _checksum(text: str) -> str:
    return hashlib.sha256(text.strip().encode()).hexdigest()[:16]


def _say(text: str) -> None:
    console.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)
