"""A language of the interface: its texts by key, and how it writes numbers, lists and dates."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.lists import format_list
from babel.numbers import format_decimal, format_percent

from saree_cosface.languages.values import Amount, Listed, Said
from saree_cosface.taxonomy import craft_name, load_taxonomy

NOTE = "language.note"
"""Key of what is said where a machine made a language; a person's file leaves it untranslated."""

_STYLES: dict[str, Literal["or", "standard"]] = {"or": "or", "and": "standard"}

_SCRIPTS = {
    "hi": (0x0900, 0x097F),
    "bn": (0x0980, 0x09FF),
    "pa": (0x0A00, 0x0A7F),
    "gu": (0x0A80, 0x0AFF),
    "or": (0x0B00, 0x0B7F),
    "ta": (0x0B80, 0x0BFF),
    "te": (0x0C00, 0x0C7F),
    "kn": (0x0C80, 0x0CFF),
    "ml": (0x0D00, 0x0D7F),
}
"""Letters of a language whose spelling of a craft is the first that the taxonomy has in them. Marathi, Nepali and
Assamese share theirs with Hindi and Bengali and spell some crafts otherwise, so they show names in Latin letters."""


@dataclass(frozen=True, eq=False)
class Language:
    """One language.

    Attributes:
        tag: BCP 47, such as "hi"; the name of its file.
        locale: whose numbers and dates it has.
        texts: by key; of a text that depends on a number every form.
        plural: which of the forms is for a number.
        instead: language of the texts that this one lacks; None for English, which lacks none.
    """

    tag: str
    locale: Locale
    texts: Mapping[str, tuple[str, ...]]
    plural: Callable[[int], int]
    instead: "Language | None" = None

    def __call__(self, key: str, /, **values: Any) -> str:
        """The text of a key with its named values.

        Texts hold none of ``< > & " ' \\``, so that they can stand in HTML as they are; values from outside are escaped
        by whoever gives them. Numbers, lists and what was said in English are written as this language does. Of a text
        with several forms ``n`` chooses one.

        Raises:
            KeyError: no language has the text.
        """
        forms = self.texts.get(key)
        if forms is None and self.instead is not None:
            return self.instead(key, **values)
        if forms is None:
            raise KeyError(key)
        form = forms[self.plural(abs(int(values["n"])))] if len(forms) > 1 else forms[0]
        return form.format_map({name: self._shown(value) for name, value in values.items()})

    @property
    def name(self) -> str:
        """Of the language, in itself."""
        return self.texts.get("language.name", (self.locale.get_display_name() or self.tag,))[0]

    @property
    def note(self) -> str:
        """That a machine made the texts, where one did; "" otherwise."""
        return "" if self.instead is None else self.texts.get(NOTE, ("",))[0]

    def again(self, text: str) -> str:
        """A text in this language where it is known what it says; any other as it stands."""
        if not isinstance(text, Said):
            return str(text)
        if "craft" in text.values and not text.key:
            return self.craft(text.values["craft"])
        return self(text.key, **text.values)

    def sentence(self, text: str) -> str:
        """The same as the beginning of a sentence."""
        told = self.again(text)
        return told[:1].upper() + told[1:]

    def error(self, error: Exception) -> str:
        """What an error says, likewise."""
        first = error.args[0] if error.args else ""
        return self.again(first) if isinstance(first, Said) else str(error)

    def craft(self, craft: str) -> str:
        """The name of a craft: in the script of the language where the taxonomy has it, else as it is everywhere."""
        taxonomy = load_taxonomy()
        names = taxonomy[craft].native if craft in taxonomy else ()
        low, high = _SCRIPTS.get(self.locale.language, (0, -1))
        return next((name for name in names if low <= ord(name[0]) <= high), craft_name(craft))

    def family(self, family: str) -> str:
        """The name of a family of crafts, a technique; one that there is no text of as it stands."""
        key = f"family.{re.sub('[^a-z]+', '_', family)}"
        return self(key) if key in (self.instead or self).texts else family

    def number(self, value: float, digits: int = 0) -> str:
        """A number with that many digits after the point."""
        whole = self.locale.decimal_formats[None].pattern.split(";")[0].split(".")[0]
        return format_decimal(value, format=f"{whole}.{'0' * digits}" if digits else whole, locale=self.locale)

    def percent(self, share: float, digits: int = 0) -> str:
        """A share of 1 in percent."""
        pattern = self.locale.percent_formats[None].pattern
        if digits:
            pattern = pattern.replace("0", f"0.{'0' * digits}", 1)
        return format_percent(share, format=pattern, locale=self.locale)

    def listed(self, items: Iterable[str], style: str = "and") -> str:
        """Things after each other: "or" for one of them, "and" for all, "," for no word before the last."""
        names = [self.again(item) for item in items]
        return ", ".join(names) if style == "," else format_list(names, style=_STYLES[style], locale=self.locale)

    def day(self, when: str) -> str:
        """The day of a time in ISO 8601."""
        return format_date(datetime.fromisoformat(when), "medium", locale=self.locale)

    def moment(self, when: str) -> str:
        """Day, hour and minute of a time in ISO 8601, in UTC as they are kept; "" for none."""
        if not when:
            return ""
        return format_datetime(datetime.fromisoformat(when), "d MMM y, HH:mm", locale=self.locale)

    def _shown(self, value: Any) -> str:
        if isinstance(value, str):
            return self.again(value)
        if isinstance(value, int):
            return self.number(value)
        if isinstance(value, Amount):
            write = self.percent if value.share else self.number
            return write(value.value, value.digits)
        if isinstance(value, Listed):
            return self.listed(value.items, value.style)
        raise TypeError(f"{value!r} is no text, number or list")
