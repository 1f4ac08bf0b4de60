"""Which decisions stand: those that others had seen, that were taken back, or that contradict each other."""

import pytest

from saree_cosface.curation.decisions import CurationError
from saree_cosface.curation.log import Clash
from saree_cosface.curation.versions import apply_log
from tests.helpers.decided import about, labels


def test_seen_or_not_seen(log):
    first = about(log, "relabel", "a.jpg", craft="patola")
    with pytest.raises(Clash) as clash:
        about(log, "exclude", "a.jpg", by="Ravi", seen=first.number - 1)
    assert clash.value.entries == (first,)
    second = about(log, "exclude", "a.jpg", by="Ravi", seen=first.number)
    assert log.standing().verdicts["shop/a.jpg"] == second
    log.undo(second.number, by="Asha", over=True)
    assert log.standing().verdicts["shop/a.jpg"] == first  # what it overruled is in force again
    deferred = about(log, "defer", "b.jpg", by="Ravi")
    assert about(log, "relabel", "b.jpg", craft="patola").seen == 0  # whoever knows may answer
    assert deferred.number in log.standing().overruled
    with pytest.raises(Clash):
        about(log, "defer", "b.jpg", by="Ravi")
    about(log, "comment", "b.jpg", by="Ravi")  # and a remark contradicts nobody


def test_an_undo_can_be_undone(log):
    entry = about(log, "exclude", "a.jpg")
    with pytest.raises(Clash, match=f"(?s)somebody else said so.*by Asha.*add --over {entry.number}"):
        log.undo(entry.number, by="Ravi")
    assert log.entries()[-1] == entry
    undo = log.undo(entry.number, by="Ravi", over=True)
    assert not log.standing().verdicts
    with pytest.raises(CurationError, match=f"taken back already; undo {undo.number} brings it into force again"):
        log.undo(entry.number, by="Asha")
    log.undo(undo.number, by="Asha", over=True)
    assert log.standing().verdicts == {"shop/a.jpg": entry}
    log.undo(entry.number, by="Ravi", over=True)
    assert log.standing().undone == {entry.number, undo.number}


def test_photos_that_are_copies_of_each_other_in_a_ring(log, manifest):
    about(log, "duplicate", "a.jpg", others=["b.jpg"])
    about(log, "duplicate", "b.jpg", others=["shop/c.jpg"])
    with pytest.raises(Clash, match="so that none would be left. To keep shop/a.jpg instead, first: undo 3"):
        about(log, "duplicate", "shop/c.jpg", others=["a.jpg"])
    applied, _ = apply_log(log, manifest)
    assert set(labels(applied)) == {"shop/c.jpg", "museum/c.jpg", "museum/d.jpg"}
    ring = about(log, "duplicate", "shop/c.jpg", others=["a.jpg"], by="Ravi", clash="stand")
    (conflict,) = log.standing().conflicts
    assert [entry.number for entry in conflict.entries] == [2, 3, ring.number]
    with pytest.raises(CurationError, match="1 open conflict"):
        apply_log(log, manifest)
    assert len(apply_log(log, manifest, leave_conflicts=True)[0].after) == 5
    about(log, "accept", "shop/c.jpg", by="Meera", over=[ring.number])
    assert len(apply_log(log, manifest)[0].after) == 3
