import json
import re
from pathlib import Path

import pytest

from saree_cosface.cards.__main__ import main
from saree_cosface.cards.packaged import documents
from saree_cosface.files import sha256_of
from saree_cosface.taxonomy import load_taxonomy

CARDS = Path(__file__).parents[2] / "data_cards"
RECORDS = {"taxonomy": "crafts", "loom": "crafts", "faces": "sets"}


def document(name):
    return json.loads((CARDS / f"{name}.croissant.json").read_text(encoding="utf-8"))


def test_the_documents_are_what_the_code_writes():
    said = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in CARDS.glob("*.croissant.json")}
    assert said == documents(CARDS), "write them anew: python -m saree_cosface.cards"


def test_they_are_written_anew(tmp_path):
    (tmp_path / "taxonomy.yaml").write_bytes((CARDS / "taxonomy.yaml").read_bytes())
    assert main(tmp_path) == 0
    for path in CARDS.glob("*.croissant.json"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_the_checksum_is_that_of_the_taxonomy():
    (file,) = document("taxonomy")["distribution"]
    assert file["sha256"] == sha256_of(CARDS / file["contentUrl"])


@pytest.mark.parametrize("name", RECORDS)
def test_croissant_takes_them_and_gives_their_records(name):
    mlcroissant = pytest.importorskip("mlcroissant")
    data = mlcroissant.Dataset(jsonld=str(CARDS / f"{name}.croissant.json"))
    assert not data.metadata.ctx.issues.errors
    records = [{key.split("/")[1]: value for key, value in record.items()} for record in data.records(RECORDS[name])]
    assert len(records) == len(document(name)["recordSet"][0]["data"]) > 1
    if name == "taxonomy":
        crafts = load_taxonomy(CARDS / "taxonomy.yaml").crafts
        assert [record["id"] for record in records] == [craft.id for craft in crafts]
        assert [record["gi"] or None for record in records] == [craft.gi for craft in crafts]


def test_every_card_has_a_document_and_the_faces_are_those_of_their_card():
    assert {path.stem for path in CARDS.glob("*.md")} == set(RECORDS)
    said = (CARDS / "faces.md").read_text(encoding="utf-8")
    titles = [row["sets/title"] for row in document("faces")["recordSet"][0]["data"]]
    assert all(re.sub(r" \(.*", "", title) in said for title in titles)


def test_the_card_of_the_taxonomy_counts_it_and_names_what_is_in_it():
    card = (CARDS / "taxonomy.md").read_text(encoding="utf-8")
    taxonomy = load_taxonomy(CARDS / "taxonomy.yaml")
    registered = [craft for craft in taxonomy.crafts if craft.gi is not None]
    counts = re.search(r"(\d+) craft clusters in (\d+) families.*?for (\d+) of them", card, re.DOTALL).groups()
    assert tuple(map(int, counts)) == (len(taxonomy.crafts), len(set(taxonomy.families.values())), len(registered))
    compared, of = map(int, re.search(r"(\d+) of (\d+), see below", card).groups())
    assert (of, f"the other {of - compared} names" in " ".join(card.split())) == (len(registered), True)
    quoted = re.findall(r"^\| ([A-Z][\w ]+) \| [A-Z][\w ]+ \(No\.", card, re.MULTILINE)
    assert len(quoted) == 5
    assert set(quoted) <= {craft.gi for craft in registered}
    # What the card says of spellings must be so.
    for spelling, craft in (
        ("tangail", "jamdani"),
        ("tanchoi", "banarasi"),
        ("kani", "pashmina"),
        ("puttapaka", "pochampally"),
    ):
        assert taxonomy.resolve(spelling).id == craft
    assert {"naga_shawl", "arunachal_weaving", "kutch_embroidery", "kunbi"} <= {craft.id for craft in taxonomy.crafts}
