"""Licences: of photos, as far as their words are known, and of what is made from them."""

import re
from collections.abc import Mapping

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from saree_cosface.sharing.errors import ShareError

NOT_CHOSEN = "LicenseRef-not-chosen"
"""Of a run of which nobody has said what others may do with it."""

OTHER, UNKNOWN = "stated in other words", "unknown"
"""Of photos whose licence is none that is known here, and of those that have none."""

HUB_LICENCES = frozenset(
    {
        *("apache-2.0", "mit", "bsd-3-clause", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "cc0-1.0", "unlicense"),
        *("cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-3.0", "cc-by-nc-4.0"),
        *("cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"),
    }
)
"""Those that hubs know by the small letters of their name in SPDX; any other is "other" to them."""

_CREATIVE = re.compile(
    r"(?:(?:https?://)?(?:www\.)?creativecommons\.org/licenses/|creative commons |cc[ -]?)"
    r"(by(?:[ -]nc)?(?:[ -](?:sa|nd))?)(?:[ /-](\d\.\d))?/?(?:deed\.\w+)?(?: (?:international|unported|generic))?"
)
_WORDS = {"creative commons attribution": "cc by", "attribution": "cc by", "sharealike": "sa", "noncommercial": "nc"}
_WORDS |= {"share alike": "sa", "non-commercial": "nc", "noderivatives": "nd", "noderivs": "nd", " license": ""}
_FREE = {
    **dict.fromkeys(("cc0", "cc0 1.0", "cc0-1.0", "cczero", "cc-zero"), "CC0-1.0"),
    **dict.fromkeys(("public domain", "publicdomain", "pd", "pdm", "public domain mark 1.0"), "public domain"),
    **dict.fromkeys(("https://creativecommons.org/publicdomain/zero/1.0/",), "CC0-1.0"),
    **dict.fromkeys(("https://creativecommons.org/publicdomain/mark/1.0/",), "public domain"),
}


def require_licence(text: str) -> str:
    """A licence as SPDX writes it.

    Raises:
        ShareError: SPDX knows none of that name.

    >>> require_licence("cc-by-sa-4.0")
    'CC-BY-SA-4.0'
    """
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression as error:
        raise ShareError(
            f"--licence {text!r}: no licence of SPDX (https://spdx.org/licenses), as CC-BY-4.0, CC-BY-NC-SA-4.0 or "
            "Apache-2.0 are; one of your own is called LicenseRef-NAME."
        ) from error


def licence_of(text: str) -> str:
    """The licence that somebody noted of a photo, in the words of SPDX where it is known, else ``OTHER``, ``UNKNOWN``.

    What people write beside it, such as whose it is, is in none of these.

    >>> [licence_of(text) for text in ("CC BY-SA 4.0", "cc0", "apache-2.0", "ask Meera", "")]
    ['CC-BY-SA-4.0', 'CC0-1.0', 'Apache-2.0', 'stated in other words', 'unknown']
    """
    plain = " ".join(text.split()).casefold()
    if not plain:
        return UNKNOWN
    if plain in _FREE:
        return _FREE[plain]
    spelt = plain
    for word, meant in _WORDS.items():
        spelt = spelt.replace(word, meant)
    if found := _CREATIVE.fullmatch(spelt):
        version = f"-{found[2]}" if found[2] else ""
        return f"CC-{found[1].upper().replace(' ', '-')}{version}"
    try:
        known = str(canonicalize_license_expression(plain))
    except InvalidLicenseExpression:
        return OTHER
    return OTHER if "LicenseRef" in known else known


def doubts(licence: str, photos: Mapping[str, int]) -> tuple[str, ...]:
    """What speaks against giving a run away under a licence: sentences, of which none is legal advice.

    Args:
        licence: of the run.
        photos: how many are under each licence (:func:`licence_of`).

    >>> doubts("CC-BY-4.0", {"CC-BY-SA-4.0": 3, "CC0-1.0": 5})[0].split(":")[0]
    '3 photos are under CC-BY-SA-4.0'
    """
    said = []
    if licence == NOT_CHOSEN:
        said.append(
            "No licence was chosen (--licence): without one nobody else may use, change or pass on what goes out, but "
            "as the law allows."
        )
    for name, none in ((OTHER, f"have a licence {OTHER}"), (UNKNOWN, "have no licence that is known")):
        if name in photos:
            said.append(
                f"{photos[name]} of {sum(photos.values())} photos {none}: make sure that those whose they are agree, "
                "since vectors made from them go out."
            )
    for name, count in photos.items() if licence != NOT_CHOSEN else ():
        parts = name.split("-")
        if "SA" in parts and _without_version(name) != _without_version(licence):
            said.append(
                f"{_are(count)} under {name}: it asks that what is made from them bears the same licence, and "
                f"{licence} is another. Whether weights and vectors are made from photos in that sense is not settled."
            )
        if "NC" in parts and "NC" not in licence.split("-"):
            said.append(f"{_are(count)} under {name}: for no commercial use, which {licence} does not forbid.")
        if "ND" in parts:
            said.append(f"{_are(count)} under {name}: it allows no adaptations to be given away.")
    return tuple(said)


def _are(count: int) -> str:
    return f"{count} photos are" if count != 1 else "1 photo is"


def _without_version(licence: str) -> str:
    return re.sub(r"-?\d+\.\d+$", "", licence)
