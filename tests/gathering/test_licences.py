import pytest

from saree_cosface.gathering.licences import OFFERED, Licence, NotOffered, licence_of, stated

CC = "https://creativecommons.org"


@pytest.mark.parametrize(
    ("said", "code", "version"),
    [
        ("CC BY-SA 4.0", "by-sa", "4.0"),
        ("CC-BY-SA-3.0", "by-sa", "3.0"),
        ("cc-by-sa-3.0-migrated", "by-sa", "3.0"),
        ("CC BY 2.5 in", "by", "2.5"),
        ("by-sa", "by-sa", ""),
        ("CC0", "cc0", "1.0"),
        ("cc-zero", "cc0", "1.0"),
        ("CC0 1.0 Universal", "cc0", "1.0"),
        ("Public Domain Mark 1.0", "pdm", "1.0"),
        ("Public domain", "pdm", "1.0"),
        ("pd", "pdm", "1.0"),
        (f"{CC}/licenses/by/2.0/", "by", "2.0"),
        ("http://creativecommons.org/licenses/by-sa/3.0/deed.en", "by-sa", "3.0"),
        ("//creativecommons.org/licenses/by-nd/2.0", "by-nd", "2.0"),
        (f"{CC}/licenses/by-nc-sa/4.0/", "by-nc-sa", "4.0"),
        (f"{CC}/publicdomain/zero/1.0/deed.de", "cc0", "1.0"),
        (f"{CC}/publicdomain/mark/1.0/", "pdm", "1.0"),
    ],
)
def test_every_way_to_write_a_licence_is_read(said, code, version):
    found = stated(said)
    assert (found.code, found.version) == (code, version)


@pytest.mark.parametrize(
    "said",
    [
        *("GFDL", "All rights reserved", "", "attribution", "bypass", "public domain in Utopia", "by-sa-like"),
        "https://evil.example/creativecommons.org/licenses/by/4.0/",
        "https://creativecommons.org.evil.example/licenses/by/4.0/",
    ],
)
def test_what_is_no_licence_is_not_taken_for_one(said):
    assert stated(said) is None


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (["by-nd"], "CC BY-ND, which is not asked for"),
        (["by-nc"], "not asked for"),
        (["CC BY 4.0", f"{CC}/licenses/by-nd/4.0/"], "contradicts itself: by, by-nd"),
        (["by", "GFDL"], "something that is not known here: GFDL"),
        (["pd", f"{CC}/licenses/sampling+/1.0/"], "contradicts itself"),
        (["pd", f"{CC}/terms"], "not known here"),
        (["", ""], "none is stated"),
        (["Copyrighted free use"], "no licence that is known here"),
    ],
)
def test_what_is_in_doubt_is_left(said, why):
    with pytest.raises(NotOffered, match=why.replace("+", r"\+")):
        licence_of(said, OFFERED)


def test_the_public_domain_may_have_a_page_of_its_own():
    assert licence_of(["pd", "Public domain", "https://www.usa.gov/government-works"], ["pdm"]).code == "pdm"


def test_links_lead_to_the_licence_that_is_stated():
    assert licence_of(["CC BY 2.0", "http://creativecommons.org/licenses/by/2.0/in/"], ["by"]) == Licence(
        "by", "2.0", f"{CC}/licenses/by/2.0/in/"
    )
    assert licence_of(["CC BY-SA 3.0"], ["by-sa"]).url == f"{CC}/licenses/by-sa/3.0/"
    assert licence_of(["by"], ["by"]).url == f"{CC}/licenses/by/4.0/"  # by the rule of Openverse
    assert licence_of(["CC0"], ["cc0"]).url == f"{CC}/publicdomain/zero/1.0/"
    assert [licence_of([code], OFFERED).name for code in ("cc0", "pdm", "by")] == [
        "CC0 1.0",
        "Public Domain Mark 1.0",
        "CC BY",
    ]
