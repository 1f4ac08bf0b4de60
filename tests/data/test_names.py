"""Names that look alike are one, and those that nearly do are told."""

import unicodedata

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saree_cosface.curation.naming import find_piece
from saree_cosface.data.check import check_manifest
from saree_cosface.data.importing import import_folder
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.data.names import craft_label, look, lookalikes, tidy
from saree_cosface.data.splits import make_split
from saree_cosface.taxonomy import NotACraft, UnknownCraft
from tests.helpers.bad_photos import save, textured

ALIKE = {
    "composed and decomposed": ("Café Silks", unicodedata.normalize("NFD", "Café Silks")),
    "two blanks": ("Asha Silks", "Asha  Silks"),
    "a blank that does not break": ("Asha Silks", "Asha\u00a0Silks"),
    "a thin blank": ("Asha Silks", "Asha\u2009Silks"),
    "blanks around": ("Asha Silks", "\u3000Asha Silks\t"),
    "a blank without width": ("Asha Silks", "Asha \u200bSilks"),
    "a mark of byte order": ("Asha Silks", "\ufeffAsha Silks"),
    "a soft hyphen": ("Asha Silks", "Asha Sil\u00adks"),
    "marks of direction": ("Asha Silks", "\u202aAsha Silks\u202c\u200e"),
    "an Indic vowel sign in two parts": ("কো", "ক\u09c7\u09be"),
    "a variation selector": ("Asha Silks", "Asha Silks\ufe0f"),
    "a selector of ideographs": ("Asha Silks", "Asha Silks\U000e0100"),
    "a tag": ("Asha Silks", "Asha\U000e0020 Silks"),
    "a Mongolian selector": ("Asha Silks", "Asha\u180b Silks"),
    "a mark of annotations": ("Asha Silks", "Asha Silks\ufffb"),
    "what a code page has left": ("Asha Silks", "Asha\x80 Silks\x7f"),
    "what a workbook has for the end of a line": ("Asha Silks", "Asha Silks_x000D_\n"),
    "a blank of Hangul": ("Asha Silks", "Asha\u3164Silks"),
    "a blank of Braille": ("Asha Silks", "Asha\u2800Silks"),
    "a joiner that joins nothing": ("Asha Silks", "As\u200cha \u200dSilks"),
    "a bare consonant of Malayalam": ("രാജൻ", "രാജന്\u200d"),
    "one of Bengali": ("উৎসব", "উত্\u200dসব"),
    "the half ra of Marathi": ("क\u0931्हाड", "कर्\u200dहाड"),
    "a vowel put together": ("आशा", "अाशा"),
    "another": ("ओम", "अोम"),
    "a sign put together": ("కో", "కొ\u0c55"),
    "a dot behind its vowel sign": ("बाड\u093cा", "बाडा\u093c"),
}


def manifest_of_names(folder, column, names):
    table = pd.DataFrame({"path": [f"{row}.jpg" for row in range(len(names))], "craft": "patola", "source": "s"})
    table[column] = list(names)
    table.to_csv(folder / "m.csv", index=False)
    return folder / "m.csv"


@pytest.mark.parametrize("column", ["source", "piece", "view", "craft"])
@pytest.mark.parametrize("names", ALIKE.values(), ids=list(ALIKE))
def test_what_looks_alike_is_one_name_in_a_manifest(tmp_path, column, names):
    manifest = read_manifest(manifest_of_names(tmp_path, column, names), taxonomy=None)
    assert manifest.table[column].nunique() == 1
    assert manifest.table[column][0] == names[0]


@pytest.mark.parametrize("names", ALIKE.values(), ids=list(ALIKE))
def test_a_source_of_two_spellings_is_on_one_side_of_a_split(tmp_path, names):
    sources = [*names, "Meera", "Devi", "Lakshmi"] * 4
    table = pd.DataFrame({"path": [f"{row}.jpg" for row in range(len(sources))], "source": sources})
    table["craft"] = ["patola", "bandhani"] * (len(sources) // 2)
    table.to_csv(tmp_path / "m.csv", index=False)
    manifest = read_manifest(tmp_path / "m.csv")
    split = make_split(manifest, "source", n_folds=2, seed=0)
    for fold in range(2):
        train, test = split.rows(manifest, fold)
        assert not {look(sources[row]) for row in train} & {look(sources[row]) for row in test}


def test_joiners_of_indic_scripts_stay(tmp_path):
    names = ("রু\u200dই", "ക്‍ഷ")  # spelt with a joiner
    manifest = read_manifest(manifest_of_names(tmp_path, "source", names))
    assert tuple(manifest.sources) == names


def test_folders_are_imported_under_tidy_names(tmp_path):
    for number, name in enumerate((unicodedata.normalize("NFD", "Café"), "Meera\u00a0 Silks")):
        folder = tmp_path / "patola" / name / "piece\u200b 1"
        folder.mkdir(parents=True)
        save(folder / f"{number}.png", textured(64, 64, number))
    import_folder(tmp_path, tmp_path / "m.csv")
    written = pd.read_csv(tmp_path / "m.csv")
    assert sorted(written["source"]) == ["Café", "Meera Silks"]
    assert sorted(written["piece"]) == ["patola/Café/piece 1", "patola/Meera Silks/piece 1"]
    assert all((tmp_path / path).is_file() for path in written["path"])  # paths are as the disk has them


@pytest.mark.parametrize("column", ["source", "piece"])
@pytest.mark.parametrize(
    "pair",
    [
        *(("Asha Silks", "ASHA silks"), ("Asha", "\u0410sha"), ("shop 01", "shop O1"), ("a-b", "a–b")),
        *(("Asha Pvt. Ltd.", "Asha Pvt Ltd"), ("Asha", "Asha-"), ("Asha “Silks”", 'Asha "Silks"'), ("İzmir", "izmir")),
        *(
            ("ASHA", "\u13aaSHA"),
            ("Modern", "Modem"),
            ("Asha", "Asha\uf8ff"),
            ("கௌரி", "கெளரி"),
            ("علی", "علي"),
            ("दुःख", "दु:ख"),
        ),
    ],
)
def test_check_warns_of_names_that_nearly_look_alike(tmp_path, column, pair):
    for row in range(3):
        save(tmp_path / f"{row}.jpg", textured(96, 96, row))
    path = manifest_of_names(tmp_path, column, [*pair, "Meera"])
    found = [each for each in check_manifest(read_manifest(path)).findings if each.kind == "names that look alike"]
    assert [(each.severity, each.paths) for each in found] == [("warning", ("0.jpg", "1.jpg"))]
    assert all(repr(name) in found[0].message for name in pair)


@pytest.mark.slow
@given(st.text())
def test_tidy_is_done_once(name):
    assert tidy(tidy(name)) == tidy(name)
    assert look(tidy(name)) == look(name)


def test_only_different_names_are_alike():
    assert lookalikes(["", "", "a", "a", "b"]) == []
    assert lookalikes(["s1", "sl", "S1", "t"]) == [("s1", "sl", "S1")]
    assert lookalikes(["1-11", "11-1", "1.1.1", "111"]) == []  # numbers of a museum


def test_the_label_of_a_new_craft_is_its_name():
    assert craft_label(" Mashru  of Kutch ", new=True) == "Mashru of Kutch"
    assert craft_label("mashru_of_kutch", known=["patola", "Mashru of Kutch"]) == "Mashru of Kutch"
    assert craft_label("पटोला साड़ी", new=True) == "patola"
    assert craft_label("कैसी", new=True, known=["कसी", "कासी", "कैसा"]) == "कैसी"
    with pytest.raises(UnknownCraft, match="add --new"):
        craft_label("कैसी", known=["कसी"])
    for nothing, why in (("!!", "neither letters nor digits"), ("a\uf8ffb", "cannot be shown"), ("रेशम", "material")):
        with pytest.raises(NotACraft, match=why):
            craft_label(nothing, new=True)


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("source != 'Asha\u00a0Silks'", 1),
        ("source not in ['Asha  Silks']", 1),
        ("source == 'As\u00adha Silks' and path != '9.jpg'", 2),
        ("not source.str.startswith('Asha  S')", 1),
        ("source != 'Asha\u00a0Silks' & craft == 'patola'", 1),
        ("`source` != 'Asha Silks'", 1),
        ("note == 'two  blanks'", 2),
        ("note == 'Cafe\u0301'", 1),
    ],
)
def test_a_selection_may_be_typed_as_the_file_has_it(query, left, tmp_path):
    rows = [
        "0.jpg,patola,Asha\u00a0Silks,two  blanks",
        "1.jpg,patola,Asha  Silks,two  blanks",
        "2.jpg,patola,Meera,Café",
    ]
    (tmp_path / "m.csv").write_text("path,craft,source,note\n" + "\n".join(rows) + "\n")
    assert len(read_manifest(tmp_path / "m.csv", where=query)) == left


def test_a_selection_may_be_typed_in_either_form(tmp_path):
    name = "Café Silks"
    for form in ("NFC", "NFD"):
        listed = manifest_of_names(tmp_path, "source", [name, "Asha"])
        assert len(read_manifest(listed, where=f"source == '{unicodedata.normalize(form, name)}'")) == 1
        listed = read_manifest(manifest_of_names(tmp_path, "piece", [name, "other"]))
        assert find_piece(listed, unicodedata.normalize(form, name)) == 0


@given(st.text(st.characters(max_codepoint=0x17F)))
def test_plain_names_are_tidied_as_all_are(name):
    assert tidy(f"{name} é") == f"{tidy(name)} é".strip()
