"""Any sequence of decisions: what stands is what the definition says, and always makes the same manifest."""

from collections import defaultdict
from pathlib import Path
from tempfile import mkdtemp

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saree_cosface.curation.applying import apply_decisions
from saree_cosface.curation.decisions import CurationError, replay
from saree_cosface.curation.log import CurationLog
from saree_cosface.curation.versions import account, write_version
from saree_cosface.data.manifest import COLUMNS, manifest_of

PHOTOS, CURATORS, CRAFTS = ("a", "b", "c", "d"), ("Asha", "Ravi", "Meera"), ("patola", "jamdani")
steps = st.tuples(
    st.sampled_from(("accept", "relabel", "exclude", "duplicate", "defer", "merge", "comment", "undo", "undo")),
    st.sampled_from(PHOTOS),
    st.sampled_from(PHOTOS),
    st.sampled_from(CRAFTS),
    st.sampled_from(CURATORS),
    st.floats(0, 1),
)


def collection(root):
    table = pd.DataFrame("", index=range(5), columns=list(COLUMNS))
    table["path"], table["craft"] = [*PHOTOS, "untouched"], "bandhani"
    table["piece"], table["split"] = ["", "s", "s", "", "t"], ["train", "", "test", "val", "test"]
    return manifest_of(table.astype(object), root)


def take(log, step):
    """Do a random step, as far as it makes sense."""
    kind, photo, other, craft, by, share = step
    if kind == "undo":
        return log.undo(1 + round(share * 12), by=by, over=True)
    value = {"accept": craft, "relabel": craft, "duplicate": other, "merge": [other]}.get(kind, "")
    seen = round(share * len(log.entries()))
    return log.decide(kind, photo, value, by=by, why="y", seen=seen, clash="stand" if share < 0.7 else "refuse")


def told_otherwise(entries):
    """What stands by the definition, word by word: slower, and written another way than `replay`."""

    def active(entry):
        return not any(e.kind == "undo" and e.value == str(entry.number) and active(e) for e in entries)

    standing = defaultdict(list)
    verdicts = [e for e in entries if e.kind in ("accept", "relabel", "exclude", "duplicate", "defer") and active(e)]
    for old in verdicts:
        later = [e for e in verdicts if e.photo == old.photo and e.number > old.number]
        same = any(e.by == old.by for e in later)
        known = any(e.seen >= old.number for e in later)
        answered = old.kind == "defer" and any(e.kind != "defer" for e in later)
        if not (same or known or answered):
            standing[old.photo].append(old)
    said = {
        p: {("label" if e.kind in ("accept", "relabel") else e.kind, e.value) for e in s} for p, s in standing.items()
    }
    agreed = {photo: made[-1] for photo, made in standing.items() if len(said[photo]) == 1}
    rings = set()
    for photo in agreed:
        trail, at = [], photo
        while at in agreed and agreed[at].kind == "duplicate" and at not in trail:
            trail.append(at)
            at = agreed[at].value
        if at == photo and trail:
            rings.add(photo)
    conflicting = {photo for photo in standing if len(said[photo]) > 1} | rings
    return {photo: entry for photo, entry in agreed.items() if photo not in rings}, conflicting


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, max_size=25), st.integers(0, 25), st.randoms())
def test_any_sequence_of_decisions(tmp_path, sequence, cut, chance):
    folder = Path(mkdtemp(dir=tmp_path))
    manifest = collection(folder)
    made = []

    def work(part):
        with CurationLog.create(folder / "log.db") as log:
            log.bind(manifest.sha256, "manifest.csv", by="Asha")
            for step in part:
                try:
                    made.append(take(log, step))
                except CurationError:
                    continue
                assert log.entries()[1:] == made

    work(sequence[:cut])
    prefix = list(made)
    work(sequence[cut:])
    with CurationLog(folder / "log.db") as log:
        entries = log.trusted()
        before = log.trusted(upto=1 + len(prefix))
    assert entries[1:] == made
    # A log that grew in two goes is the log; what was found of its beginning is found again later.
    assert replay(prefix + entries[1 + len(prefix) :]) == replay(entries)
    assert replay(before) == replay(prefix)
    shuffled = list(entries)
    chance.shuffle(shuffled)
    assert replay(shuffled) == replay(entries)
    standing = replay(entries)
    verdicts, conflicting = told_otherwise(entries)
    assert standing.verdicts == verdicts
    assert {photo for conflict in standing.conflicts for photo in conflict.photos} == conflicting

    applied = apply_decisions(manifest, entries, leave_conflicts=True)
    again = apply_decisions(manifest, shuffled, leave_conflicts=True)
    places = {"log": folder / "log.db", "path": folder / "manifest.csv", "run": None}
    for name, each in (("one", applied), ("two", again)):
        write_version(each, account(each, entries, folder / name, **places), folder / name / "m.csv", places["path"])
    for name in ("m.csv", "m.curation.json"):
        assert (folder / "one" / name).read_bytes() == (folder / "two" / name).read_bytes()
    kept = applied.after.table.set_index("path")
    for photo in conflicting:
        assert kept.loc[photo, "craft"] == "bandhani"
    assert kept.loc["untouched"].to_dict() == manifest.table.set_index("path").loc["untouched"].to_dict()
    for photo, entry in verdicts.items():
        assert (photo in kept.index) == (entry.kind not in ("exclude", "duplicate"))
        if entry.kind in ("accept", "relabel"):
            assert kept.loc[photo, "craft"] == entry.value

    # Taking everything back gives the manifest back.
    with CurationLog(folder / "log.db") as log:
        for entry in made[::-1]:
            if entry.kind != "undo" and entry.number not in log.standing().undone:
                log.undo(entry.number, by="Meera", over=True)
        cleared = apply_decisions(manifest, log.trusted())
    assert cleared.after.table.equals(manifest.table)
    assert cleared.after.sha256 == manifest.sha256
    assert not cleared.changes
