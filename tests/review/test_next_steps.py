import json
import shutil
from types import SimpleNamespace

import pytest
from rich.console import Console

from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.review import next_steps as module
from saree_cosface.review.next_steps import DOCUMENT, FOLDER, CraftStep, StepsError, kept_steps, next_steps
from saree_cosface.runs.calibration import CalibrationError
from saree_cosface.runs.run import load_run
from saree_cosface.scoring.curve_table import Expected
from tests.helpers.tiny import SOME


def curve_of(craft, gain):
    low, high = gain - 0.004, gain + 0.004
    return SimpleNamespace(craft=craft, sources=6, photos=14, accuracy=0.4, gain=gain, gain_interval=(low, high))


@pytest.fixture
def curve(monkeypatch):
    """Says what is told of a curve instead of measuring one, and how it was asked."""
    asked = []

    def source_curve(manifest, model, *, where, cache):
        asked.append((manifest, model, where))
        crafts = (curve_of("chanderi", 0.006), curve_of("leheriya", 0.011))
        return SimpleNamespace(crafts=crafts, few={}, accuracy=0.5, interval=(0.45, 0.55))

    monkeypatch.setattr(module, "source_curve", source_curve)
    return asked


@pytest.fixture
def run(tiny_run, tmp_path):
    """One to write into."""
    return load_run(shutil.copytree(tiny_run.folder, tmp_path / "run"))


@pytest.mark.slow
def test_crafts_are_ranked_by_what_a_source_is_worth_and_kept_for_the_app(run, curve, tiny_corpus, tiny_cache):
    assert kept_steps(run.folder) is None
    found = next_steps(run, tiny_corpus, where=SOME, cache=tiny_cache)
    document = found.to_json()
    assert [craft["craft"] for craft in document["crafts"]] == ["leheriya", "chanderi", "jamdani"]
    first, _, last = document["crafts"]
    assert first["gain"] == pytest.approx({"value": 0.011, "low": 0.007, "high": 0.015})
    assert first["after"] == pytest.approx(0.511)
    assert first["says"] == (
        "Leheriya: 6 sources; one more is expected to raise balanced accuracy by 1.10 points [0.70, 1.50]."
    )
    assert (last["gain"], last["after"]) == (None, None)
    assert last["sources"] == len(set(read_manifest(tiny_corpus, where="craft == 'jamdani'").sources))
    assert document["manifest_sha256"] == read_manifest(tiny_corpus, where=SOME).sha256
    assert document["where"] == document["query"] == SOME
    assert document["photos"] is None
    assert kept_steps(run.folder) == json.loads(json.dumps(document))
    assert [path.name for path in (run.folder / FOLDER).iterdir()] == [DOCUMENT]
    # Without a query it is of the crafts that the run has learned, whatever else the manifest lists.
    assert next_steps(run, tiny_corpus, cache=tiny_cache).manifest_sha256 == found.manifest_sha256
    assert curve[0][1].precision == "auto"  # as in a recipe, so that answers that were kept are known again


@pytest.mark.slow
def test_what_is_said_to_people(run, curve, tiny_corpus, tiny_cache, tmp_path):
    found = next_steps(run, tiny_corpus, where=SOME, cache=tiny_cache, out=tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere" / DOCUMENT).is_file()
    assert kept_steps(run.folder) is None
    out = Console(record=True, width=120)
    found.print_table(out)
    told = out.export_text()
    assert told.index("Leheriya") < told.index("Chanderi") < told.index("Jamdani")
    assert "1.10 [0.70, 1.50]" in told
    assert "not known" in told
    assert "is 50.0% now" in told


@pytest.mark.slow
def test_what_photos_lack_is_told_before_the_long_work(run, curve, tiny_corpus, tiny_cache, tmp_path):
    with pytest.raises(CalibrationError, match="saree-cosface calibrate"):
        next_steps(run, tiny_corpus, where=SOME, photos=tmp_path, cache=tiny_cache)
    assert curve == []
    assert not (run.folder / FOLDER).exists()


@pytest.mark.parametrize(
    ("low", "said"), [(-0.002, "by 0.60 points [-0.20, 1.10]"), (-0.00004, "by 0.60 points [0.00, 1.10]")]
)
def test_no_gain_of_minus_nothing_is_told(low, said):
    assert said in CraftStep("gadwal", 6, 14, 0.4, Expected(0.006, low, 0.011), 0.5).says


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 0}'])
def test_what_was_kept_and_cannot_be_read_is_an_error_with_a_remedy(tmp_path, content):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / DOCUMENT).write_text(content, encoding="utf-8")
    with pytest.raises(StepsError, match=r"run `saree-cosface next` again"):
        kept_steps(tmp_path)
