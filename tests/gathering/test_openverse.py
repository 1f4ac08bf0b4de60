import pytest

from saree_cosface.gathering.licences import OFFERED
from saree_cosface.gathering.openverse import OPENVERSE, asks, read
from saree_cosface.gathering.records import ChangedShape, Found, Left
from saree_cosface.taxonomy import load_taxonomy

ASKED = {"q": "banarasi saree", "license": "cc0,by", "page_size": "20", "page": "1"}

# As documented: api/api/examples/image_responses.py of WordPress/openverse.
RESULT = {
    "id": "4bc43a04-ef46-4544-a0c1-63c63f56e276",
    "title": "Tree Bark Photo",
    "indexed_on": "2022-08-27T17:39:48Z",
    "foreign_landing_url": "https://stocksnap.io/photo/XNVBVXO3B7",
    "url": "https://cdn.stocksnap.io/img-thumbs/960w/XNVBVXO3B7.jpg",
    "creator": "Tim Sullivan",
    "creator_url": "https://www.secretagencygroup.com",
    "license": "cc0",
    "license_version": "1.0",
    "license_url": "https://creativecommons.org/publicdomain/zero/1.0/",
    "provider": "stocksnap",
    "source": "stocksnap",
    "tags": [{"accuracy": None, "name": "tree"}, {"accuracy": 0.95, "name": "bark"}],
    "mature": False,
    "height": 4016,
    "width": 6016,
}


def page(*results, **other):
    usual = {"result_count": len(results), "page_count": 1, "page_size": 20, "page": 1}
    return read(ASKED, {**usual, "results": list(results), **other}, OFFERED)


def without(*names):
    return {name: value for name, value in RESULT.items() if name not in names}


def test_the_documented_example_is_read_whole():
    (record,) = page(RESULT).records
    assert (record.title, record.creator, record.provider) == ("Tree Bark Photo", "Tim Sullivan", "stocksnap")
    assert record.licence.name == "CC0 1.0"
    assert record.landing == "https://stocksnap.io/photo/XNVBVXO3B7"
    assert record.words == ("tree", "bark")
    assert (record.width, record.height) == (6016, 4016)
    assert record.url == record.original


@pytest.mark.parametrize(
    "name",
    [
        "title",
        "creator",
        "creator_url",
        "license_version",
        "license_url",
        "provider",
        "source",
        "tags",
        "mature",
        "width",
    ],
)
@pytest.mark.parametrize("how", ["absent", "null", "nonsense"])
def test_what_may_be_missing_may_be_missing(name, how):
    told = without(name) if how == "absent" else {**RESULT, name: None if how == "null" else [5, {"a": None}]}
    (record,) = page(told).records
    assert isinstance(record, Found)
    assert record.licence.code == "cc0"


@pytest.mark.parametrize("name", ["id", "url"])
def test_one_record_without_what_it_needs_is_left_and_the_others_stay(name):
    first, second = page(without(name), RESULT).records
    assert isinstance(first, Left)
    assert first.reason == f"the record has no {name}"
    assert isinstance(second, Found)


def test_a_licence_that_only_the_link_states_is_read():
    first, _ = page(without("license"), RESULT).records
    assert first.licence.code == "cc0"


@pytest.mark.parametrize("name", ["id", "url", "license"])
def test_a_field_that_is_missing_everywhere_is_named(name):
    with pytest.raises(ChangedShape, match=f"{name} is missing in every result"):
        page(without(name), without(name))


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({"detail": "moved"}, "results is missing"),
        ({"results": {"a": 1}}, "results is a dict"),
        ({"results": [1]}, "one of the results is a int"),
        ([], "the answer is a list"),
        (None, "the answer is missing"),
    ],
)
def test_another_shape_names_the_field(document, named):
    with pytest.raises(ChangedShape, match=named):
        read(ASKED, document, OFFERED)


@pytest.mark.parametrize(
    ("other", "kind"),
    [
        ({"license": "by-nd", "license_url": None}, "licence"),
        ({"license": "by", "license_url": "https://creativecommons.org/licenses/by-nd/2.0/"}, "licence"),
        ({"license": "sampling+", "license_url": None}, "licence"),
        ({"mature": True}, "marked as sensitive"),
        ({"url": None}, "incomplete"),
        ({"url": "javascript:alert(1)"}, "incomplete"),
    ],
)
def test_records_are_checked_again(other, kind):
    (record,) = page({**RESULT, **other}).records
    assert (record.kind, record.id) == (kind, RESULT["id"])


def test_pages_follow_until_the_last():
    following = page(RESULT, page_count=3).following
    assert following == {**ASKED, "page": "2"}
    assert read({**ASKED, "page": "3"}, {"results": [RESULT], "page_count": 3}, OFFERED).following is None
    assert page(page_count=9).following is None  # nothing on it
    assert page(*[RESULT] * 20, page_count=None).following is not None
    assert page(*[RESULT] * 19, page_count=None).following is None


def test_questions_say_which_licences_and_no_more_than_anybody_may():
    asked = asks(load_taxonomy()["banarasi"], ["cc0", "by"])
    assert asked[0] == ASKED
    assert all(int(each["page_size"]) <= 20 for each in asked)
    assert 60 / OPENVERSE.pause <= 20  # a minute
