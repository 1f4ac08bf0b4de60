"""Letters of Indic scripts that may be spelt in two ways, of which nobody sees which: one of them.

The Unicode Standard (chapters 12 and 13) says which spelling is meant. Keyboards of before there was such a letter, and
those that draw a vowel out of its parts, write the other.
"""

import re

_VOWELS = """
अा=आ अॅ=ॲ अॉ=ऑ अॊ=ऒ अो=ओ अौ=औ आॅ=ऑ आॆ=ऒ आे=ओ आै=औ एॅ=ऍ एॆ=ऎ एे=ऐ र्इ=ई
অা=আ ਅਾ=ਆ ਅੈ=ਐ ਅੌ=ਔ ੲਿ=ਇ ੲੀ=ਈ ੲੇ=ਏ ੳੁ=ਉ ੳੂ=ਊ ੳੋ=ਓ
અા=આ અૅ=ઍ અે=એ અૈ=ઐ અૉ=ઑ અો=ઓ અૌ=ઔ ଅା=ଆ ଏୗ=ଐ ଓୗ=ଔ அூ=ஆ
ఒౌ=ఔ ఒౕ=ఓ ಉಾ=ಊ ಒೌ=ಔ ಋಾ=ೠ ഇൗ=ഈ ഉൗ=ഊ എെ=ഐ ഒാ=ഓ ഒൗ=ഔ
"""
"""Vowels that are put together from another and a sign, and what is meant."""

_LETTERS = {
    # Of Malayalam and Bengali, consonants without a vowel, which a joiner marked before they had letters, and the half
    # ra of Marathi.
    **dict(zip(("ണ്\u200d", "ന്\u200d", "ര്\u200d", "ല്\u200d", "ള്\u200d"), "ൺൻർൽൾ", strict=True)),
    "ত্\u200d": "ৎ",
    "र्\u200d": "ऱ्",
    "ଯ\u0b3c": "ୟ",
    # Signs that are put together from two.
    "\u0c4a\u0c55": "\u0c4b",
    "\u0c46\u0c55": "\u0c47",
    **dict(each.split("=") for each in _VOWELS.split()),
}

_OTHER = re.compile("|".join(sorted(map(re.escape, _LETTERS), key=len, reverse=True)))

_DOT_BEHIND = re.compile(
    "([\u093a\u093b\u093e-\u094c\u094e\u094f\u0955-\u0957]+)(\u093c)|([\u09be-\u09cc\u09d7]+)(\u09bc)"
    "|([\u0a3e-\u0a4c]+)(\u0a3c)|([\u0abe-\u0acc]+)(\u0abc)|([\u0b3e-\u0b4c\u0b56\u0b57]+)(\u0b3c)"
    "|([\u0cbe-\u0ccc]+)(\u0cbc)"
)
"""A vowel sign and then the dot below, which belongs to the consonant before the sign."""


def respelt(text: str) -> str:
    """The spelling that is meant, of composed text (NFC).

    >>> respelt("रा\u093cज") == "र\u093cाज", respelt("अाशा"), respelt("ന്\u200d")
    (True, 'आशा', 'ൻ')
    """
    return _OTHER.sub(lambda found: _LETTERS[found[0]], _DOT_BEHIND.sub(_dot_first, text))


def _dot_first(found: re.Match[str]) -> str:
    signs, dot = (part for part in found.groups() if part)
    return dot + signs
