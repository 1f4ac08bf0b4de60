import pytest

from saree_cosface.sharing.licences import OTHER, UNKNOWN, doubts, licence_of


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("CC BY-SA 4.0", "CC-BY-SA-4.0"),
        ("cc-by-sa-4.0", "CC-BY-SA-4.0"),
        ("CC BY SA 3.0", "CC-BY-SA-3.0"),
        ("Creative Commons Attribution-ShareAlike 4.0 International", "CC-BY-SA-4.0"),
        ("https://creativecommons.org/licenses/by-nc-nd/4.0/", "CC-BY-NC-ND-4.0"),
        ("https://creativecommons.org/licenses/by/4.0/deed.en", "CC-BY-4.0"),
        ("CC-BY", "CC-BY"),
        ("CC0", "CC0-1.0"),
        ("Public Domain", "public domain"),
        ("mit", "MIT"),
        ("CC BY 4.0, Meera Devi", OTHER),
        ("LicenseRef-Meera-Devi", OTHER),
        ("ask me", OTHER),
        ("by", OTHER),
        (" \n", UNKNOWN),
    ],
)
def test_what_is_noted_of_a_photo(text, licence):
    assert licence_of(text) == licence
    assert licence_of(licence) in (licence, OTHER)


@pytest.mark.parametrize(
    ("licence", "photos", "said"),
    [
        ("CC-BY-SA-4.0", {"CC-BY-SA-3.0": 2}, []),
        ("CC-BY-4.0", {"CC0-1.0": 2, "public domain": 1, "MIT": 4}, []),
        ("CC-BY-4.0", {"CC-BY-SA-3.0": 1}, ["1 photo is under CC-BY-SA-3.0: it asks"]),
        ("CC-BY-NC-SA-4.0", {"CC-BY-SA-4.0": 2, "CC-BY-NC-SA-4.0": 2}, ["2 photos are under CC-BY-SA-4.0: it asks"]),
        ("Apache-2.0", {"CC-BY-NC-4.0": 2}, ["2 photos are under CC-BY-NC-4.0: for no commercial use"]),
        ("CC-BY-NC-4.0", {"CC-BY-NC-4.0": 2}, []),
        ("CC0-1.0", {"CC-BY-ND-4.0": 2}, ["2 photos are under CC-BY-ND-4.0: it allows no adaptations"]),
        ("CC0-1.0", {UNKNOWN: 2, OTHER: 1}, ["1 of 3 photos have a licence", "2 of 3 photos have no licence"]),
    ],
)
def test_what_speaks_against_a_licence(licence, photos, said):
    found = doubts(licence, photos)
    assert len(found) == len(said)
    assert all(sentence.startswith(beginning) for sentence, beginning in zip(found, said, strict=True))
