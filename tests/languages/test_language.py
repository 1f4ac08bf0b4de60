"""Texts, numbers, lists, dates and names of crafts as a language writes them."""

import copy
import json
import pickle

import pytest

from saree_cosface.languages.packaged import english, languages, packaged
from saree_cosface.languages.said import said, said_craft
from saree_cosface.languages.values import Amount, Listed

SECOND = "2026-11-30T16:37:10+00:00"


@pytest.fixture(scope="module")
def german(tmp_path_factory):
    """A language with a decimal comma, and a space before the percent sign."""
    folder = tmp_path_factory.mktemp("languages")
    (folder / "de.po").write_text('msgid ""\nmsgstr ""\n"Language: de\\n"\n', encoding="utf-8")
    return languages(folder)["de"]


def test_numbers_are_written_as_in_each_language(german):
    hindi = packaged()["hi"]
    assert [say.number(1234567.891, 2) for say in (english(), hindi, german)] == [
        "1,234,567.89",
        "12,34,567.89",
        "1.234.567,89",
    ]
    assert [say.number(-0.5, 3) for say in (english(), hindi, german)] == ["-0.500", "-0.500", "-0,500"]
    assert [say.percent(0.305, 1) for say in (english(), hindi, german)] == ["30.5%", "30.5%", "30,5\xa0%"]
    assert english().percent(0.3) == "30%"


def test_days_are_written_as_in_each_language():
    assert english().day(SECOND) == "30 Nov 2026"
    assert packaged()["hi"].day(SECOND) == "30 नव॰ 2026"
    assert english().moment(SECOND) == "30 Nov 2026, 16:37"
    assert packaged()["hi"].moment(SECOND) == "30 नव॰ 2026, 16:37"
    assert english().moment("") == ""


def test_lists_end_as_in_each_language():
    names = ("A", "B", "C")
    assert english().listed(names, "or") == "A, B or C"
    # Before Babel 2.19 there is a comma before the last, too.
    assert packaged()["hi"].listed(names, "or").replace(", या", " या") == "A, B या C"
    assert packaged()["hi"].listed(names).replace(", और", " और") == "A, B और C"
    assert packaged()["hi"].listed(names, ",") == "A, B, C"


def test_a_number_chooses_the_form():
    assert [english()("count.photos", n=n) for n in (0, 1, 2, 100_000)] == [
        "0 photos",
        "1 photo",
        "2 photos",
        "100,000 photos",
    ]
    hindi = packaged()["hi"]
    assert [hindi("atlas.traditions", n=n) for n in (0, 1, 2, 100_000)] == [
        "0 परंपरा",
        "1 परंपरा",
        "2 परंपराएँ",
        "1,00,000 परंपराएँ",
    ]


def test_crafts_have_the_names_of_the_taxonomy_in_their_script():
    assert english().craft("patola") == "Patola"
    assert packaged()["hi"].craft("patola") == "पटोला"
    assert packaged()["hi"].craft("shawls_of_my_aunt") == "Shawls of my aunt"


def test_what_was_said_in_english_can_be_said_again(german):
    first, second = said_craft("patola"), said_craft("ajrakh")
    told = said("verdict.unsure", crafts=Listed((first, second, said("verdict.one_of_others", n=2)), "or"))
    assert told == "Not sure, perhaps Patola, Ajrakh or one of 2 others"
    assert packaged()["hi"].again(told) == "निश्चित नहीं, शायद पटोला, अजरख या 2 और परंपराओं में से एक"
    far = said("verdict.cosine", cosine=Amount(0.25, 2))
    assert (far, german.again(far)) == ("a cosine of 0.25", "a cosine of 0.25")  # the English text in the English way
    assert packaged()["hi"].error(ValueError(told)).startswith("निश्चित")
    assert packaged()["hi"].error(ValueError("in English alone")) == "in English alone"
    assert packaged()["hi"].again("in English alone") == "in English alone"


def test_what_was_said_is_text_to_everybody_else():
    told = said("photo.damaged", detail="truncated")
    assert json.loads(json.dumps({"reason": told})) == {"reason": "damaged or cut short (truncated)"}
    for same in (pickle.loads(pickle.dumps(told)), copy.deepcopy(told)):  # noqa: S301  # between processes
        assert same == told
        assert packaged()["hi"].again(same) == packaged()["hi"].again(told) != told


def test_an_unknown_key_and_a_value_of_no_kind_are_errors():
    with pytest.raises(KeyError, match="no_such"):
        packaged()["hi"]("batch.no_such")
    with pytest.raises(TypeError, match="no text, number or list"):
        english()("batch.left_out", reason=None)
