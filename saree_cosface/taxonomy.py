"""Craft clusters: one id for each tradition, whatever a shop calls it, and a refusal for what is no craft."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

_UNSPELT = re.compile("[\u0300-\u036f\u093c\u09bc\u0a3c\u0abc\u0b3c\u200c\u200d'\u2019]")
"""What does not matter to a spelling: accents of Latin letters, the dot below of Indic ones, joiners, apostrophes."""

_CHILLU = str.maketrans({chr(0x0D7A + row): bare + "\u0d4d" for row, bare in enumerate("ണനരലള")})
"""Malayalam's bare consonants have a letter of their own since Unicode 5.1, and were written in two before."""


def words_of(label: str) -> list[str]:
    """The words of a label as they are compared: letters, digits and the vowel signs of Indic scripts.

    >>> words_of("Kāñjīvaram silk-saree, 1998")
    ['kanjivaram', 'silk', 'saree', '1998']
    """
    bare = _UNSPELT.sub("", unicodedata.normalize("NFKD", label.casefold())).translate(_CHILLU)
    spaced = "".join(mark if mark.isalnum() or unicodedata.category(mark)[0] == "M" else " " for mark in bare)
    return spaced.split()


# Words that say "this is a saree" or what it is woven of; they may stand beside the name of a craft.
_SAREE_WORDS = frozenset(
    words_of(
        "saree sarees sari saris handloom handlooms handwoven weave weaves weaving pure "
        "साड़ी साड़ियाँ साडी শাড়ি শাড়ী சேலை புடவை சாரி చీర చీరలు ಸೀರೆ സാരി ଶାଢ଼ି ଶାଢ଼ୀ સાડી ਸਾੜੀ ਸਾੜ੍ਹੀ"
    )
)
_MATERIAL_WORDS = frozenset(
    words_of(
        "silk silks cotton pattu fabric fabrics "
        "रेशम रेशमी सिल्क সিল্ক রেশম பட்டு சில்க் పట్టు సిల్క్ ರೇಷ್ಮೆ ಸಿಲ್ಕ್ പട്ട് സിൽക്ക് ରେଶମ ସିଲ୍କ રેશમ સિલ્ક ਰੇਸ਼ਮ ਸਿਲਕ "
        "सूती कॉटन সুতি সুতির কটন பருத்தி காட்டன் పత్తి కాటన్ ಹತ್ತಿ ಕಾಟನ್ കോട്ടൺ ସୂତା કોટન સુતરાઉ ਸੂਤੀ"
    )
)


_LISTS = ("spellings", "native", "search", "exclude")
"""Entries of a craft that may be left out, each a list of names or words."""


class UnknownCraft(ValueError):
    """The label is no spelling of a known craft.

    Attributes:
        label: the label as given.
        suggestions: ids of the crafts with the nearest spellings, nearest first; may be empty.
        remedy: what else may be done, a sentence; may be empty.
    """

    def __init__(self, label: str, suggestions: tuple[str, ...] = (), remedy: str = "") -> None:
        hint = f"did you mean {' or '.join(suggestions)}?" if suggestions else "no known spelling is near it."
        super().__init__(f"{label!r} is no known craft: {hint} {remedy}".rstrip())
        self.label = label
        self.suggestions = suggestions
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.label, self.suggestions, self.remedy)


class NotACraft(ValueError):
    """The label names a material, a use or a loose family, which says nothing of where a saree was made.

    Attributes:
        label: the label as given.
        reason: why it is refused.
    """

    def __init__(self, label: str, reason: str) -> None:
        super().__init__(f"{label!r} is not a craft tradition: {reason}")
        self.label = label
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.label, self.reason)


@dataclass(frozen=True)
class Craft:
    """One craft cluster.

    Attributes:
        id: the label used everywhere in the project.
        name: for people.
        spellings: other names by which shops and museums call it.
        native: its names in the scripts of India.
        search: names that photographs of it are looked for by; where there are none, its name and spellings.
        exclude: words of captions that speak of something else of that name.
        family: the technique, which makes two clusters look alike.
        place: where it is made.
        gi: name in the register of geographical indications; None where none is known.
        look_for: what a specialist looks at.
    """

    id: str
    name: str
    spellings: tuple[str, ...]
    family: str
    place: str
    gi: str | None
    look_for: tuple[str, ...]
    native: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Taxonomy:
    """Every craft of the vocabulary, and the labels that are refused with the reason.

    >>> taxonomy = load_taxonomy()
    >>> taxonomy.resolve("Kanchipuram Silk Sarees").id
    'kanjivaram'
    >>> taxonomy.resolve("काँजीवरम साड़ी").id
    'kanjivaram'
    >>> taxonomy.families["patola"]
    'ikat'
    >>> taxonomy.resolve("Party-wear")
    Traceback (most recent call last):
        ...
    saree_cosface.taxonomy.NotACraft: 'Party-wear' is not a craft tradition: an occasion for wearing a saree
    """

    version: str
    crafts: tuple[Craft, ...]
    refused: Mapping[str, str]

    def resolve(self, label: str) -> Craft:
        """Find the craft that ``label`` names; case, spaces, hyphens, underscores and diacritics do not matter.

        Words such as "saree", "silk" or "cotton" may stand beside the name.

        Raises:
            NotACraft: the label is a material, a use, or a technique that many crafts share.
            UnknownCraft: no craft is spelt so; the nearest ones are suggested.
        """
        words = words_of(label)
        without_saree = [word for word in words if word not in _SAREE_WORDS]
        without_material = [word for word in without_saree if word not in _MATERIAL_WORDS]
        for kept in (words, without_saree, without_material):
            key = "".join(kept)
            if key in self._by_key:
                return self._by_key[key]
            if key in self._refused_by_key:
                raise NotACraft(label, self._refused_by_key[key])
        if words and all(word in self._refused_by_key or word in _SAREE_WORDS for word in words):
            reasons = dict.fromkeys(self._refused_by_key[word] for word in without_saree)
            raise NotACraft(label, "; ".join(reasons) or "says nothing of which craft")
        near = get_close_matches("".join(without_material), self._by_key, n=6, cutoff=0.6)
        raise UnknownCraft(label, tuple(dict.fromkeys(self._by_key[key].id for key in near))[:3])

    def __getitem__(self, craft_id: str) -> Craft:
        return self._by_id[craft_id]

    def __contains__(self, craft_id: object) -> bool:
        return craft_id in self._by_id

    @property
    def families(self) -> Mapping[str, str]:
        """Family of each craft id."""
        return {craft.id: craft.family for craft in self.crafts}

    @cached_property
    def _by_id(self) -> Mapping[str, Craft]:
        return MappingProxyType({craft.id: craft for craft in self.crafts})

    @cached_property
    def _by_key(self) -> Mapping[str, Craft]:
        return {key: craft for craft in self.crafts for label in _labels(craft) for key in _keys(label)}

    @cached_property
    def _refused_by_key(self) -> Mapping[str, str]:
        return {_key(label): reason for label, reason in self.refused.items()}


def load_taxonomy(path: Path | None = None) -> Taxonomy:
    """Read a taxonomy; the one that comes with the package when no path is given. Cached.

    Raises:
        ValueError: the file is missing, malformed, repeats an id, or spells two crafts alike.

    >>> patola = load_taxonomy()["patola"]
    >>> patola.family, patola.place
    ('ikat', 'Patan and Rajkot, Gujarat')
    """
    return _load(Path(path) if path is not None else _packaged_path())


def craft_name(craft: str) -> str:
    """Name of a craft for people; an id of several words that the taxonomy does not know in words, and any other label
    as it stands.

    >>> craft_name("patola"), craft_name("shawls_of_my_aunt"), craft_name("Not sure, ask_Meera")
    ('Patola', 'Shawls of my aunt', 'Not sure, ask_Meera')
    """
    taxonomy = load_taxonomy()
    if craft in taxonomy:
        return taxonomy[craft].name
    return craft.replace("_", " ").capitalize() if re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)+", craft) else craft


@cache
def _packaged_path() -> Path:
    # An installed package holds the file inside; a checkout has it at the root of the repository.
    here = Path(__file__).resolve().parent
    inside = here / "data_cards" / "taxonomy.yaml"
    return inside if inside.exists() else here.parent / "data_cards" / "taxonomy.yaml"


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader written in C, where PyYAML was built with it: the file is long."""


@cache
def _load(path: Path) -> Taxonomy:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: cannot be read as a taxonomy ({error}).") from error
    if not isinstance(document, dict) or not {"version", "crafts", "refused"} <= document.keys():
        raise ValueError(f"{path}: a taxonomy needs the keys version, crafts and refused.")
    crafts = tuple(_craft(path, craft_id, entry) for craft_id, entry in _pairs(path, document["crafts"]))
    refused = {str(label): str(reason) for label, reason in _pairs(path, document["refused"])}
    _check_spellings(path, crafts, refused)
    return Taxonomy(version=str(document["version"]), crafts=crafts, refused=MappingProxyType(refused))


def _pairs(path: Path, section: Any) -> list[tuple[Any, Any]]:
    # Lists of one-key mappings, since YAML silently keeps the last of two equal keys in a mapping.
    if not isinstance(section, list) or not all(isinstance(entry, dict) and len(entry) == 1 for entry in section):
        raise ValueError(f"{path}: crafts and refused must be lists of `- name: ...` entries.")
    return [next(iter(entry.items())) for entry in section]


def _craft(path: Path, craft_id: Any, entry: Any) -> Craft:
    required = {"name", "family", "place", "look_for"}
    if not isinstance(entry, dict) or not required <= entry.keys():
        raise ValueError(f"{path}: craft {craft_id!r} needs {', '.join(sorted(required))}.")
    unknown = entry.keys() - required - {*_LISTS, "gi"}
    if unknown:
        raise ValueError(f"{path}: craft {craft_id!r} has unknown entries {sorted(unknown)}.")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", str(craft_id)):
        raise ValueError(f"{path}: craft id {craft_id!r} must be of lower-case letters, digits and underscores.")
    lists = {name: entry.get(name) or [] for name in _LISTS}
    for name, each in lists.items():
        if not isinstance(each, list):
            raise ValueError(f"{path}: {name} of craft {craft_id!r} must be a list.")
    return Craft(
        id=craft_id,
        name=str(entry["name"]),
        **{name: tuple(str(word) for word in each) for name, each in lists.items()},
        family=str(entry["family"]),
        place=str(entry["place"]),
        gi=None if entry.get("gi") is None else str(entry["gi"]),
        look_for=tuple(str(thing) for thing in entry["look_for"]),
    )


def _check_spellings(path: Path, crafts: tuple[Craft, ...], refused: Mapping[str, str]) -> None:
    ids = [craft.id for craft in crafts]
    repeated = sorted({craft_id for craft_id in ids if ids.count(craft_id) > 1})
    if repeated:
        raise ValueError(f"{path}: craft ids must be unique; repeated: {', '.join(repeated)}.")
    owner: dict[str, str] = {}
    for craft in crafts:
        for label in _labels(craft):
            for key in _keys(label):
                other = owner.setdefault(key, craft.id)
                if other != craft.id:
                    raise ValueError(f"{path}: {label!r} is a spelling of both {other} and {craft.id}; keep one.")
    for label in refused:
        if _key(label) in owner:
            raise ValueError(f"{path}: {label!r} is both refused and a spelling of {owner[_key(label)]}; keep one.")


def _labels(craft: Craft) -> tuple[str, ...]:
    return craft.id, craft.name, *craft.spellings, *craft.native


def _key(label: str) -> str:
    return "".join(words_of(label))


def _keys(label: str) -> set[str]:
    # Also without "saree" and the like, which a label may repeat ("Kerala saree sarees") or leave out ("Kerala").
    bare = "".join(word for word in words_of(label) if word not in _SAREE_WORDS)
    return {_key(label), bare or _key(label)}
