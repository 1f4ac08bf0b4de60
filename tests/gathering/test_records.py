import json

import pytest

from saree_cosface.gathering.licences import Licence
from saree_cosface.gathering.records import ChangedShape, Found, link, number, require, text


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("<b>Asha</b>\n Rao", "Asha Rao"),
        ("<script>alert(1)</script>Asha<style>p{}</style>", "Asha"),
        ("Tom &amp; Jerry &lt;3", "Tom & Jerry <3"),
        ("a\u202eb\u0000c\u200b", "abc"),
        ("\ud800half", "?half"),
        ("As<i>h</i>a<br>Rao<p>Varanasi</p>", "Asha Rao Varanasi"),
        (17, "17"),
        (None, ""),
        (True, ""),
        ([], ""),
        ({"value": 1}, ""),
    ],
)
def test_text_is_one_plain_line_whatever_is_told(said, plain):
    assert text(said) == plain
    text(said).encode()


def test_text_is_bounded():
    assert len(text("साड़ी " * 10_000)) == 200
    assert text("<p>" * 5000 + "deep") == "deep"


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("https://example.org/a?b=c", "https://example.org/a?b=c"),
        ("//upload.wikimedia.org/a.jpg", "https://upload.wikimedia.org/a.jpg"),
        ("http://example.org/साड़ी.jpg", "http://example.org/साड़ी.jpg"),
        *((bad, "") for bad in ("javascript:alert(1)", "file:///etc/passwd", "ftp://a/b", "https://", "a.jpg", "")),
        *(
            (bad, "")
            for bad in (
                "https://a/ b",
                'https://a/"b',
                "https://a/<b>",
                "https://[::1",
                None,
                5,
                [],
                "https://a/\ud800",
            )
        ),
    ],
)
def test_links_are_addresses_of_pages_or_nothing(said, address):
    assert link(said) == address


def test_numbers_are_positive_or_nothing():
    assert [number(value) for value in (5, 0, -1, True, "5", None, 5.5)] == [5, 0, 0, 0, 0, 0, 0]


def found(**other):
    usual = {
        "service": "openverse",
        "id": "1",
        "title": "T",
        "creator": "Asha",
        "creator_url": "",
        "licence": Licence("by", "2.0", "u"),
    }
    places = {"landing": "https://p/1", "provider": "flickr", "url": "https://f/1.jpg", "original": "https://F/1.jpg?x"}
    return Found(**{**usual, **places, **other})


def test_a_record_survives_the_log():
    record = found(words=("a", "b"), width=5, restrictions="personality")
    assert Found.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_who_is_unknown_is_one_source_a_provider_and_credited_as_such():
    assert found().source == "Asha at flickr"
    assert found(creator="").source == "unknown at flickr"
    assert found(title="", creator="").credit == "Untitled by unknown, CC BY 2.0 (u), https://p/1"
    assert found().address == "f/1.jpg"


def test_a_changed_shape_names_the_field():
    with pytest.raises(ChangedShape, match="results is missing, not a list"):
        require(None, list, "results")
    with pytest.raises(ChangedShape, match="query is a str, not a dict"):
        require("x", dict, "query")
