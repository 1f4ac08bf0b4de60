import pytest

from saree_cosface.gathering.commons import asks, read
from saree_cosface.gathering.licences import OFFERED
from saree_cosface.gathering.records import ChangedShape, Found, Left
from saree_cosface.taxonomy import load_taxonomy

ASKED = {"action": "query", "generator": "search", "gsrsearch": "banarasi saree"}
FIELDS = {
    "ObjectName": "Banarasi saree",
    "Artist": '<a href="//commons.wikimedia.org/wiki/User:Asha" title="User:Asha">Asha <b>Rao</b></a>',
    "LicenseShortName": "CC BY-SA 4.0",
    "LicenseUrl": "https://creativecommons.org/licenses/by-sa/4.0",
    "License": "cc-by-sa-4.0",
    "Categories": "Banarasi saris|Self-published work",
    "Restrictions": "personality",
}
INFO = {
    "size": 12,
    "width": 4000,
    "height": 3000,
    "thumburl": "https://upload.wikimedia.org/thumb/a/ab/B.jpg/1920px-B.jpg",
    "url": "https://upload.wikimedia.org/a/ab/B.jpg",
    "descriptionurl": "https://commons.wikimedia.org/wiki/File:B.jpg",
    "mime": "image/jpeg",
}


def file(fields=FIELDS, index=1, **info):
    told = {name: {"value": value, "source": "commons-desc-page"} for name, value in fields.items()}
    known = {"pageid": 10 + index, "ns": 6, "title": "File:B.jpg", "index": index}
    return {**known, "imageinfo": [{**INFO, "extmetadata": told, **info}]}


def page(*files, **other):
    return read(ASKED, {"batchcomplete": True, "query": {"pages": list(files)}, **other}, OFFERED)


def test_a_file_is_read_whole():
    (record,) = page(file()).records
    assert (record.creator, record.title, record.provider) == ("Asha Rao", "Banarasi saree", "wikimedia")
    assert record.licence.name == "CC BY-SA 4.0"
    assert record.url == INFO["thumburl"]
    assert record.address == "upload.wikimedia.org/a/ab/B.jpg"
    assert record.words == ("Banarasi saris", "Self-published work")
    assert record.restrictions == "personality"


def test_files_come_by_relevance_in_either_format():
    files = [file(index=3), file(index=1), file(index=2)]
    listed = [record.id for record in page(*files).records]
    keyed = read(ASKED, {"query": {"pages": {str(each["pageid"]): each for each in files}}}, OFFERED)
    assert listed == [record.id for record in keyed.records] == ["11", "12", "13"]


@pytest.mark.parametrize("name", [*FIELDS])
def test_what_may_be_missing_may_be_missing(name):
    (record,) = page(file({key: value for key, value in FIELDS.items() if key != name})).records
    assert isinstance(record, Found)
    assert record.title
    assert record.licence.code == "by-sa"


@pytest.mark.parametrize("name", ["thumburl", "descriptionurl", "mime", "width", "size"])
def test_a_file_may_be_described_in_little(name):
    (record,) = page(file(**{name: None})).records
    assert isinstance(record, Found)
    assert record.url
    assert record.landing


@pytest.mark.parametrize(
    ("fields", "info", "kind"),
    [
        ({"LicenseShortName": "CC BY-ND 4.0", "License": "", "LicenseUrl": ""}, {}, "licence"),
        ({"License": "cc-by-nd-4.0"}, {}, "licence"),
        ({"LicenseShortName": "GFDL", "License": "gfdl", "LicenseUrl": ""}, {}, "licence"),
        ({"NonFree": "true"}, {}, "licence"),
        ({"DeletionReason": "copyright violation"}, {}, "licence"),
        ({}, {"extmetadata": []}, "licence"),
        ({"LicenseUrl": "see below"}, {}, "licence"),
        ({}, {"mime": "image/svg+xml"}, "not a photo"),
        ({}, {"mime": "application/pdf"}, "not a photo"),
        ({}, {"mime": "video/webm"}, "not a photo"),
        ({}, {"url": None}, "incomplete"),
    ],
)
def test_what_cannot_be_used_is_left(fields, info, kind):
    (record,) = page(file({**FIELDS, **fields}, **info)).records
    assert isinstance(record, Left)
    assert record.kind == kind


def test_nothing_found_is_an_empty_page():
    assert read(ASKED, {"batchcomplete": True}, OFFERED).records == ()


def test_answers_go_on_as_the_service_says():
    following = page(file(), **{"continue": {"gsroffset": 50, "continue": "gsroffset||"}}).following
    assert following == {**ASKED, "gsroffset": "50", "continue": "gsroffset||"}
    assert page(file()).following is None
    assert page(file(), **{"continue": {}}).following is None


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({"error": {"code": "badvalue", "info": "Unrecognized value for parameter"}}, "refused .Unrecognized value"),
        ({"query": {"pages": "none"}}, "query.pages is a str"),
        ({"query": []}, "query is a list"),
        ({"query": {"pages": [{"pageid": 1}, {"pageid": 2}]}}, "imageinfo is missing in every page"),
        ({"query": {"pages": [{"pageid": 1, "imageinfo": [5]}]}}, "imageinfo is a int"),
        (
            {"query": {"pages": [{"pageid": 1, "imageinfo": [{"url": "https://a/b"}]}]}},
            "extmetadata is missing in every",
        ),
        ("<html>", "the answer is a str"),
    ],
)
def test_another_shape_names_the_field(document, named):
    with pytest.raises(ChangedShape, match=named):
        read(ASKED, document, OFFERED)


def test_pages_that_come_with_the_next_answer_are_waited_for():
    later = {"pageid": 9, "ns": 6, "title": "File:C.jpg"}
    assert len(page(file(), later).records) == 1
    assert read(ASKED, {"query": {"pages": [later]}, "continue": {"iistart": "1"}}, OFFERED).following is not None


def test_files_are_searched_for_and_looked_for_in_categories():
    asked = asks(load_taxonomy()["banarasi"], OFFERED)
    assert asked[0]["gsrsearch"] == "banarasi saree"
    assert asked[1]["gcmtitle"] == "Category:Banarasi saris"
    assert {each["generator"] for each in asked} == {"categorymembers", "search"}
    assert all(each["prop"] == "imageinfo" and "extmetadata" in each["iiprop"] for each in asked)
