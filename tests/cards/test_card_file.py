import pytest
import yaml

from saree_cosface.cards.card_file import CARD, CardError, card_text, name_in, read_before
from saree_cosface.cards.questions import OPEN, QUESTIONS, open_questions

FIRST = "## What was measured\n\n| a | b |\n| --- | --- |\n| 1 | 2 |"


def written(folder, text):
    (folder / CARD).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def card():
    return card_text(None, FIRST, 728, "Sarees of साड़ी: a | b <i>", ["unknown"])


def test_a_new_card_asks_everything_and_has_a_header_that_hubs_read(card):
    asked = [question for _, questions in QUESTIONS for question in questions]
    assert open_questions(card) == len(asked)
    assert all(f"{OPEN} {question}" in card for question in asked)
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["license"] == "unknown"
    assert header["size_categories"] == ["n<1K"]
    assert header["pretty_name"] == name_in(card) == "Sarees of साड़ी: a | b <i>"
    assert "<i>" not in card.split("---\n")[2]


def test_no_card_is_no_card_before(tmp_path):
    assert read_before(tmp_path) is None
    assert read_before(tmp_path / "missing") is None


def test_what_people_wrote_stays_to_the_letter(card, tmp_path):
    answered = card.replace(
        f"{OPEN} {QUESTIONS[0][1][0]}", "To know *which* saree — Meera, 2024.\n\n---\n\nsize_categories:\n- mine"
    )
    answered = answered.replace("license: unknown", "license: cc-by-4.0  # asked the museum")
    answered = answered.replace("# Sarees of", "A word before.\n\n# Sarees of") + "\nA word after.\n"
    again = card_text(read_before(written(tmp_path, answered)), "## Anew\n\nother \\1 words", 12_345, "Other", ["mit"])
    assert again == answered.replace(FIRST, "## Anew\n\nother \\1 words").replace("- n<1K", "- 10K<n<100K", 1).replace(
        answered.split("measured ")[1][:16], again.split("measured ")[1][:16]
    )
    assert "- mine" in again
    assert "asked the museum" in again
    assert open_questions(again) == open_questions(card) - 1
    # And once more, from the card that was renewed.
    assert card_text(read_before(written(tmp_path, again)), "## Anew\n\nother \\1 words", 12_345, "x", []) == again


def test_words_between_the_marks_are_not_lost(card, tmp_path):
    broken = card.replace("| 1 | 2 |", "| 1 | 2 |\n\nThis is wrong, says Asha.")
    lines = [number for number, line in enumerate(broken.splitlines(), 1) if line.startswith("<!--")]
    with pytest.raises(CardError, match=r"card\.md: somebody has written between lines {} and {},".format(*lines)):
        read_before(written(tmp_path, broken))
    assert (tmp_path / CARD).read_text(encoding="utf-8") == broken
    emptied = broken.replace(broken[broken.index("## What") : broken.index("<!-- end")], "")
    renewed = card_text(read_before(written(tmp_path, emptied)), FIRST, 728, "x", [])
    assert FIRST in renewed
    assert read_before(written(tmp_path, renewed)) == renewed


def test_line_ends_and_blanks_of_another_editor_are_no_words(card, tmp_path):
    (tmp_path / CARD).write_bytes(card.replace("\n", "\r\n").replace("| 1 | 2 |", "|  1  |  2  |  ").encode())
    assert FIRST in card_text(read_before(tmp_path), FIRST, 728, "x", [])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("<!-- end of what is measured -->", ""),
        lambda text: text.replace("<!-- measured", "<!-- counted"),
        lambda text: text + text,
        lambda text: "# A card of ours\n",
        lambda text: "",
    ],
    ids=["no end", "no beginning", "twice", "foreign", "empty"],
)
def test_a_card_without_its_marks_is_not_touched(spoil, card, tmp_path):
    with pytest.raises(CardError, match=r"card\.md: has . parts between marks.*choose another --out"):
        read_before(written(tmp_path, spoil(card)))


def test_a_card_that_is_no_text(tmp_path):
    (tmp_path / CARD).write_bytes(b"\xff\xfe\x00card")
    with pytest.raises(CardError, match="cannot be read"):
        read_before(tmp_path)
    (tmp_path / CARD).unlink()
    (tmp_path / CARD).mkdir()
    with pytest.raises(CardError, match="cannot be read"):
        read_before(tmp_path)


@pytest.mark.parametrize("head", ["", "---\n[: no yaml\n---\n", "---\n- a list\n---\n", "---\npretty_name: 7\n---\n"])
def test_a_header_that_names_nothing(head):
    assert name_in(f"{head}# Sarees\n") is None
