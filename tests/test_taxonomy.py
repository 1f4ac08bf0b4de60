import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saree_cosface.taxonomy import NotACraft, UnknownCraft, load_taxonomy

TAXONOMY = load_taxonomy()
SPELLINGS = [
    (label, craft.id) for craft in TAXONOMY.crafts for label in (craft.id, craft.name, *craft.spellings, *craft.native)
]


@pytest.mark.parametrize("craft", TAXONOMY.crafts, ids=lambda craft: craft.id)
def test_every_spelling_resolves_however_it_is_written(craft):
    for label in (craft.id, craft.name, *craft.spellings, *craft.native):
        for written in (label, label.upper(), label.replace("_", " "), label.replace(" ", "-"), f" {label}  Saree "):
            assert TAXONOMY.resolve(written).id == craft.id, written


@given(spelling=st.sampled_from(SPELLINGS), data=st.data())
def test_marks_and_separators_do_not_matter(spelling, data):
    label, craft_id = spelling
    written = "".join(
        character + data.draw(st.sampled_from(["", "\u0301", "\u0304", "-", " ", "_"])) for character in label
    )
    assert TAXONOMY.resolve(unicodedata.normalize("NFC", written)).id == craft_id


PHRASES = ("ORGANZA", "Party wear sarees", "pure silk", "printed cotton", "organza georgette", "pure handwoven")


def test_materials_and_uses_are_refused_with_a_reason():
    for label in (*TAXONOMY.refused, *PHRASES):
        with pytest.raises(NotACraft, match="is not a craft tradition") as caught:
            TAXONOMY.resolve(label)
        assert caught.value.label == label
        assert len(caught.value.reason) > 8


@pytest.mark.parametrize(
    ("label", "nearest"), [("banarsee", "banarasi"), ("Kanjivarm", "kanjivaram"), ("paithanni silk", "paithani")]
)
def test_an_unknown_spelling_suggests_the_nearest(label, nearest):
    with pytest.raises(UnknownCraft, match=f"did you mean {nearest}") as caught:
        TAXONOMY.resolve(label)
    assert caught.value.suggestions[0] == nearest
    assert caught.value.label == label


@pytest.mark.parametrize("label", ["", "   ", "###", "qqqqwwww"])
def test_nonsense_suggests_nothing(label):
    with pytest.raises(UnknownCraft, match="no known spelling"):
        TAXONOMY.resolve(label)


def test_errors_cross_process_borders():
    for error in (UnknownCraft("x", ("a",)), NotACraft("x", "y")):
        remade = error.__reduce__()[0](*error.__reduce__()[1])
        assert str(remade) == str(error)


def test_crafts_are_complete():
    assert len(TAXONOMY.crafts) >= 50
    assert {"banarasi", "bagru", "dabu", "sanganeri", "ajrakh", "kota_doria"} <= set(TAXONOMY.families)
    for craft in TAXONOMY.crafts:
        assert craft.look_for
        assert craft.place
        assert TAXONOMY[craft.id] is craft
        assert craft.id in TAXONOMY
    assert "organza" not in TAXONOMY
    assert TAXONOMY["patola"].gi == "Patan Patola"
    assert TAXONOMY["leheriya"].gi is None
    with pytest.raises(KeyError):
        TAXONOMY["organza"]


GOOD = """
version: "7"
crafts:
  - one: {name: One, spellings: [first], family: f, place: p, look_for: [a]}
  - two: {name: Two, family: f, place: p, gi: Two Sarees, look_for: [b]}
refused:
  - silk: a material
"""


def test_a_taxonomy_of_ones_own(tmp_path):
    path = tmp_path / "t.yaml"
    path.write_text(GOOD)
    taxonomy = load_taxonomy(path)
    assert taxonomy.version == "7"
    assert taxonomy.resolve("First").id == "one"
    assert taxonomy["two"].gi == "Two Sarees"
    assert load_taxonomy(path) is taxonomy


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("- two:", "- one:", "unique; repeated: one"),
        ("name: Two", "name: First", "spelling of both one and two"),
        ("- silk:", "- FIRST:", "both refused and a spelling of one"),
        ("place: p, gi", "gi", "'two' needs"),
        ("gi: Two", "colour: Two", "unknown entries"),
        ("- two:", "- Two!:", "lower-case letters"),
        ("refused:", "forbidden:", "version, crafts and refused"),
        ("  - silk: a material", "  silk: a material", "must be lists"),
        ("version", "version: [", "cannot be read"),
    ],
)
def test_a_wrong_taxonomy_names_its_file_and_fault(old, new, message, tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(ValueError, match=rf"wrong\.yaml.*{re.escape(message)}"):
        load_taxonomy(path)


def test_a_missing_taxonomy():
    with pytest.raises(ValueError, match=r"none\.yaml: cannot be read"):
        load_taxonomy(Path("none.yaml"))


@pytest.mark.parametrize(
    ("label", "craft_id"),
    [
        ("काञ्चीपुरम रेशमी साड़ी", "kanjivaram"),  # Devanagari
        ("জামদানী শাড়ি", "jamdani"),  # Bengali
        ("காஞ்சிபுரம் பட்டு சேலை", "kanjivaram"),  # Tamil
        ("పోచంపల్లి చీర", "pochampally"),  # Telugu
        ("ಇಳಕಲ್ ಸೀರೆ", "ilkal"),  # Kannada
        ("കസവ് സാരി", "kasavu"),  # Malayalam
        ("ସମ୍ବଲପୁରୀ ଶାଢ଼ୀ", "sambalpuri"),  # Odia
        ("પાટણ પટોળા સાડી", "patola"),  # Gujarati
        ("ਫੁਲਕਾਰੀ", "phulkari"),  # Gurmukhi
        ("जरदोज़ी", "zardozi"),  # with and without the dots below
        ("മൈസൂർ സിൽക്ക്", "mysore_silk"),
        ("മൈസൂര്‍ സില്‍ക്ക്", "mysore_silk"),  # bare consonants in two characters and a joiner
    ],
)
def test_names_in_indic_scripts(label, craft_id):
    for form in ("NFC", "NFD"):
        assert TAXONOMY.resolve(unicodedata.normalize(form, label)).id == craft_id


def test_vowel_signs_tell_names_apart():
    for label in ("बनरस", "पटाला", "कसी"):
        with pytest.raises(UnknownCraft):
            TAXONOMY.resolve(label)
    for label in ("रेशम", "সুতি শাড়ি", "பட்டு", "చీర"):
        with pytest.raises(NotACraft):
            TAXONOMY.resolve(label)
