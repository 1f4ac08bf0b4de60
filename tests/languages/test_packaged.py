"""Files of languages: those of the package are whole, and one of somebody's own is checked before it is shown."""

import ast
import re
import shutil
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from saree_cosface.languages import packaged as module
from saree_cosface.languages.packaged import (
    LanguageError,
    english,
    languages,
    lost_values,
    missing,
    packaged,
    read_language,
)
from saree_cosface.taxonomy import load_taxonomy

ROOT = Path(__file__).parents[2]
FILES = sorted(Path(module.__file__).parent.glob("*.po"))

HEAD = 'msgid ""\nmsgstr ""\n"Language: mr\\n"\n"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n'


def entry(key, english, own):
    return f'\nmsgctxt "{key}"\nmsgid "{english}"\nmsgstr "{own}"\n'


def written(folder, content, name="mr.po"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(content, encoding="utf-8")
    return folder / name


def asked_for():
    """Every key that the code asks for, and patterns of those that it puts together: of each call of say, said, fixed."""
    whole, patterns = set(), set()
    sources = [*(ROOT / "app").glob("*.py"), *(ROOT / "saree_cosface").rglob("*.py")]
    for source in sources:
        nodes = list(ast.walk(ast.parse(source.read_text(encoding="utf-8"))))
        put_together = [node for node in nodes if isinstance(node, ast.JoinedStr)]
        pieces = {id(part) for node in put_together for part in node.values}
        whole |= {str(node.value) for node in nodes if isinstance(node, ast.Constant) and id(node) not in pieces}
        for node in put_together:
            parts = [re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in node.values]
            patterns.add("".join(parts))
    for script in (ROOT / "app").glob("*.js"):
        whole |= set(re.findall("⟪([^⟫]+)⟫", script.read_text(encoding="utf-8")))
    return whole, {pattern for pattern in patterns if re.match(r"[a-z_]+\\\.", pattern)}


def test_every_text_is_asked_for_and_every_key_exists():
    whole, patterns = asked_for()
    rooms = {key.partition(".")[0] for key in english().texts}
    files = r"\w+\.(js|json|html|parquet|jpg|png|csv|md)"  # names of files that look like keys
    keys = {each for each in whole if re.fullmatch(r"([a-z_]+)\.[a-z0-9_]+", each) and not re.fullmatch(files, each)}
    unknown = {key for key in keys if key.partition(".")[0] in rooms and key not in english().texts}
    assert not unknown
    unused = {key for key in english().texts if key not in whole and not any(re.fullmatch(p, key) for p in patterns)}
    assert not unused
    assert not [
        p for p in patterns if p.split("\\.")[0] in rooms and not any(re.fullmatch(p, k) for k in english().texts)
    ]


def test_every_family_of_the_taxonomy_has_a_text():
    for craft in load_taxonomy().crafts:
        assert english().family(craft.family) == craft.family
        assert packaged()["hi"].family(craft.family) != craft.family


def test_hindi_is_whole_and_of_the_same_english():
    hindi = packaged()["hi"]
    assert missing(hindi) == []
    assert lost_values(hindi) == []
    assert hindi.note
    of = [{message.context: message.id for message in read_po(file.open("rb")) if message.context} for file in FILES]
    assert len(FILES) == 2
    assert of[0] == of[1]  # else the English was changed, and the Hindi not looked at


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_letters_are_those_of_the_language(file):
    for key, forms in packaged()[file.stem].texts.items():
        for form in forms:
            own = re.sub(r"\{\w+\}", "", form)
            if file.stem == "en":
                assert not re.search("[\u0900-\u097f]", own), key
            elif re.sub(r"[A-Za-z0-9 .,:;%()–×-]", "", own):
                assert re.search("[\u0900-\u097f]", own), key


def test_a_file_of_ones_own_is_beside_the_others_and_what_it_lacks_is_english(tmp_path):
    content = HEAD + entry("batch.cancel", "Cancel", "रद्द करा") + entry("batch.save", "Save as CSV", "")
    written(tmp_path, content)
    found = languages(tmp_path)
    assert list(found) == ["en", "hi", "mr"]
    assert found["mr"]("batch.cancel") == "रद्द करा"
    assert found["mr"]("batch.save") == "Save as CSV"
    assert found["mr"].name == "मराठी"
    assert found["mr"].note == ""
    assert "batch.save" in missing(found["mr"])
    assert "batch.cancel" not in missing(found["mr"])


def test_a_file_of_ones_own_may_stand_for_one_of_the_package(tmp_path):
    shutil.copy(FILES[1], tmp_path / "hi.po")
    text = (tmp_path / "hi.po").read_text(encoding="utf-8").replace('msgstr "रद्द करें"', 'msgstr "छोड़ें"')
    assert languages(written(tmp_path, text, "hi.po").parent)["hi"]("batch.cancel") == "छोड़ें"


def test_fuzzy_texts_wait_for_somebody(tmp_path):
    content = HEAD + "\n#, fuzzy" + entry("batch.cancel", "Cancel", "रद्द करा")
    assert read_language(written(tmp_path, content))("batch.cancel") == "Cancel"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEAD + entry("batch.cancle", "Cancel", "रद्द"), "'batch.cancle'"),
        (HEAD + entry("batch.left_out", "left out: {reason}", "सोडले: {karan}"), "'batch.left_out' names {karan}"),
        (HEAD + entry("batch.left_out", "left out: {reason}", "सोडले: {reason"), "'batch.left_out' has a brace"),
        (HEAD + entry("batch.left_out", "left out: {reason}", "सोडले: {reason!r}"), "by its name alone"),
        (HEAD + entry("batch.left_out", "left out: {reason}", "सोडले: {reason.key}"), "by its name alone"),
        (HEAD + entry("batch.cancel", "Cancel", "<b>रद्द</b>"), "'batch.cancel' holds <"),
        (HEAD + entry("batch.cancel", "Cancel", "it's"), "'batch.cancel' holds '"),
        (HEAD.replace("(n != 1)", "n + os"), "Plural-Forms"),
        ("these are no texts", "cannot be read as a .po file"),
    ],
)
def test_a_bad_file_is_refused_with_its_name_and_the_key(tmp_path, content, said):
    with pytest.raises(LanguageError, match="mr.po") as error:
        read_language(written(tmp_path, content))
    assert said in str(error.value)


def test_a_file_must_be_named_by_a_tag_and_be_utf8(tmp_path):
    with pytest.raises(LanguageError, match="no tag"):
        read_language(written(tmp_path, HEAD, "my texts.po"))
    (tmp_path / "mr.po").write_bytes(b'msgid ""\nmsgstr "\xff"\n')
    with pytest.raises(LanguageError, match="UTF-8"):
        read_language(tmp_path / "mr.po")


def test_a_folder_must_hold_languages(tmp_path):
    with pytest.raises(LanguageError, match="no folder"):
        languages(tmp_path / "none")
    with pytest.raises(LanguageError, match="no file of a language"):
        languages(tmp_path)
