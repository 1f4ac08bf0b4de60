"""The languages that there are: those of the package, and files of one's own, checked against the English one."""

import gettext
import io
import re
import string
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.messages.pofile import PoFileError, read_po

from saree_cosface.languages.language import NOTE, Language

ENGLISH = "en"

_FORBIDDEN = re.compile(r"[<>&\"'\\⟪⟫]")
_TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_PLACEHOLDER = re.compile(r"[a-z_]+")


class LanguageError(ValueError):
    """A file of a language cannot be used; the message names it, the key, and the remedy."""


@cache
def english() -> Language:
    """English, in which every text is written first (``en.po``)."""
    path = Path(__file__).with_name("en.po")
    catalog = _read(path)
    texts: dict[str, tuple[str, ...]] = {}
    for message in catalog:
        if message.context:
            texts[message.context] = _forms(message.id)
            _check_text(path, message.context, texts[message.context])
    return _language(path, catalog, texts, None)


@cache
def packaged() -> Mapping[str, Language]:
    """The languages of the package by their tags, English first."""
    return languages()


def languages(folder: Path | None = None) -> dict[str, Language]:
    """The languages of the package, and those of a folder, whose files come before the package's of the same name.

    Args:
        folder: of files ``TAG.po``, such as ``mr.po``; None for none.

    Raises:
        LanguageError: a file cannot be read, or a text of it not be shown.
        OSError: the folder cannot be read.
    """
    found = {ENGLISH: english()}
    files = [*sorted(Path(__file__).parent.glob("*.po")), *(sorted(_files(folder)) if folder else ())]
    for path in files:
        if path.stem != ENGLISH:
            found[path.stem] = read_language(path)
    return found


def read_language(path: Path) -> Language:
    """A language from its file; a text that it lacks, or that is marked as fuzzy there, is shown in English.

    Raises:
        LanguageError: the file cannot be read; or a text of it has a key that there is none of, names a value that the
            English one does not, or holds a character that is not allowed.
    """
    catalog = _read(path)
    texts: dict[str, tuple[str, ...]] = {}
    for message in catalog:
        key, forms = message.context or "", _forms(message.string)
        if not message.id or message.fuzzy or not all(forms):
            continue
        if key not in english().texts:
            raise LanguageError(f"{path}: there is no text {key!r}; take it out, or see en.po for its key now.")
        _check_text(path, key, forms)
        expected = english().texts[key]
        known = {name for form in expected for name in _names(form)}
        if len(forms) != (catalog.num_plurals if len(expected) > 1 else 1):
            raise LanguageError(f"{path}: {key!r} has {len(forms)} forms; Plural-Forms in its head says otherwise.")
        unknown = sorted({name for form in forms for name in _names(form)} - known)
        if unknown:
            there = ", ".join(f"{{{name}}}" for name in sorted(known)) or "none"
            raise LanguageError(f"{path}: {key!r} names {{{unknown[0]}}}, which it has not; its values: {there}.")
        texts[key] = forms
    return _language(path, catalog, texts, english())


def missing(language: Language) -> list[str]:
    """Keys of the texts that a language lacks, and shows in English; not that of a note which speaks of machines."""
    return [key for key in english().texts if key not in language.texts and key != NOTE]


def lost_values(language: Language) -> list[str]:
    """Keys of the texts that leave out a value which the English text names: perhaps on purpose."""
    lost = []
    for key, forms in language.texts.items():
        expected = set.intersection(*(set(_names(form)) for form in english().texts[key]))
        if any(expected - set(_names(form)) for form in forms):
            lost.append(key)
    return lost


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise LanguageError(f"{folder}: is no folder; give one with files of languages, such as mr.po.")
    found = list(folder.glob("*.po"))
    if not found:
        raise LanguageError(f"{folder}: holds no file of a language; its name must be a tag and .po, such as mr.po.")
    return found


def _read(path: Path) -> Catalog:
    try:
        return read_po(io.StringIO(path.read_text(encoding="utf-8")), abort_invalid=True)
    except (OSError, UnicodeDecodeError, PoFileError, ValueError, TypeError) as error:
        raise LanguageError(f"{path}: cannot be read as a .po file in UTF-8 ({error}).") from error


def _language(path: Path, catalog: Catalog, texts: Mapping[str, tuple[str, ...]], instead: Language | None) -> Language:
    try:
        if not _TAG.fullmatch(path.stem):
            raise ValueError(f"{path.stem!r} is no tag")
        locale = catalog.locale or Locale.parse(path.stem, sep="-")
        plural = gettext.c2py(catalog.plural_expr)
    except (ValueError, UnknownLocaleError) as error:
        remedy = "its name must be the tag of a language, and Plural-Forms in its head be as gettext has it."
        raise LanguageError(f"{path}: {error}; {remedy}") from error
    return Language(path.stem, locale, texts, plural, instead)


def _forms(text: Any) -> tuple[str, ...]:
    return tuple(text) if isinstance(text, list | tuple) else (text or "",)


def _names(text: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]


def _check_text(path: Path, key: str, forms: tuple[str, ...]) -> None:
    for form in forms:
        wrong = _FORBIDDEN.search(form)
        if wrong:
            raise LanguageError(
                f"{path}: {key!r} holds {wrong[0]}; write “ ” and ’ for quotation marks, and no markup."
            )
        try:
            odd = [name for name in _names(form) if not _PLACEHOLDER.fullmatch(name)]
            plain = all(
                not spec and not way for _, name, spec, way in string.Formatter().parse(form) if name is not None
            )
        except ValueError as error:
            raise LanguageError(f"{path}: {key!r} has a brace without its fellow ({error}).") from error
        if odd or not plain:
            raise LanguageError(f"{path}: {key!r}: a value stands in braces by its name alone, such as {{name}}.")
