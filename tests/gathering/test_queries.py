import pytest

from saree_cosface.gathering.queries import categories, elsewhere, names_of, queries
from saree_cosface.taxonomy import Craft, load_taxonomy
from tests.gathering.test_records import found

TAXONOMY = load_taxonomy()


@pytest.mark.parametrize("craft", TAXONOMY.crafts, ids=lambda craft: craft.id)
def test_every_craft_is_asked_for_a_few_times_and_resolves_by_its_own_names(craft):
    asked = queries(craft)
    assert 2 <= len(asked) <= 12
    assert len(set(asked)) == len(asked)
    assert all(len(query) <= 200 for query in asked)
    assert categories(craft)
    for other in TAXONOMY.crafts:
        if other.id != craft.id:
            assert not set(names_of(craft)) & set(names_of(other)), other.id


def test_queries_stand_with_the_words_for_cloth_in_their_own_script():
    asked = queries(TAXONOMY["banarasi"])
    assert asked[:3] == ("banarasi saree", "banarasi sari", "banarasi textile")
    assert "बनारसी साड़ी" in asked
    assert any(query.endswith("শাড়ি") for query in asked)
    assert queries(TAXONOMY["kullu_shawl"])[0] == "kullu shawl"


def test_a_craft_without_search_words_is_looked_for_by_its_name_and_spellings():
    craft = Craft("mine", "Mine", ("my own",), "f", "p", None, ("a",))
    assert queries(craft) == ("Mine saree", "Mine sari", "Mine textile", "my own saree")
    assert categories(craft) == ("Category:Mine saris", "Category:Mine sarees")


@pytest.mark.parametrize(
    ("craft", "caption"),
    [
        ("banarasi", {"title": "Banarasi Paan"}),
        ("banarasi", {"words": ("banarasi", "Dashashwamedh Ghat")}),
        ("kota_doria", {"title": "Kota-Kinabalu textile"}),
        ("chanderi", {"title": "Chanderi FORT at dusk"}),
        ("muga", {"title": "Muga silk", "words": ("antheraea assamensis", "Silkworms")}),
    ],
)
def test_what_has_the_name_and_is_something_else_is_left(craft, caption):
    unfit = elsewhere(found(**caption), TAXONOMY[craft], TAXONOMY)
    assert unfit.kind == "excluded word"


@pytest.mark.parametrize(
    ("craft", "title"),
    [
        ("banarasi", "Banarasi sari"),
        ("kanjivaram", "Kanjivaram with a temple border"),
        ("chanderi", "Comfortable"),
        ("banarasi", ""),
    ],
)
def test_what_may_be_of_the_craft_stays(craft, title):
    assert elsewhere(found(title=title), TAXONOMY[craft], TAXONOMY) is None


def test_tags_of_a_place_do_no_harm_where_the_title_says_that_it_is_a_cloth():
    tags = ("Varanasi", "Assi Ghat")
    assert elsewhere(found(title="Banarasi sarees", words=tags), TAXONOMY["banarasi"], TAXONOMY) is None
    assert elsewhere(found(title="Banarasi", words=tags), TAXONOMY["banarasi"], TAXONOMY) is not None
    assert elsewhere(found(title="Banarasi saree and paan"), TAXONOMY["banarasi"], TAXONOMY) is not None


def test_a_title_that_names_another_craft_alone_is_left():
    craft = TAXONOMY["banarasi"]
    assert elsewhere(found(title="Paithani saree"), craft, TAXONOMY).reason == "its title names Paithani"
    assert elsewhere(found(title="Banarasi and Paithani sarees"), craft, TAXONOMY) is None
    assert elsewhere(found(title="बनारसी, Paithani"), craft, TAXONOMY) is None
