"""What a curve says of a collection, with a small network of random weights in the place of a pretrained one."""

import json
import math
from io import StringIO

import numpy as np
import pandas as pd
import pytest
import torch
from rich.console import Console

from saree_cosface.metrics.power_law import PowerLaw
from saree_cosface.networks.create import create_backbone
from saree_cosface.options import ModelOptions
from saree_cosface.scoring import baselines, curve, growing
from saree_cosface.scoring.comparable import ComparisonError
from saree_cosface.scoring.curve import source_curve
from saree_cosface.scoring.curve_table import CraftCurve, CurveError, Expected, SourceCurve

MODEL = ModelOptions("test_resnet", pooling="mean")
LAW = PowerLaw(np.array(0.5), np.array(0.2), np.array([2.0, 5.0, 40.0]))
OWN = np.array([10.0, 8.0, 6.0])


@pytest.fixture
def untrained(monkeypatch):
    """Backbones of random weights, the same each time that one is asked for."""

    def made(name, **options):
        torch.manual_seed(0)
        return create_backbone(name, pretrained=False, **options)

    for module in (growing, baselines):
        monkeypatch.setattr(module, "create_backbone", made)


def around(law):
    """Laws that might be as well."""
    rng = np.random.default_rng(0)
    return PowerLaw(np.full((50, 1), 0.5), np.full((50, 1), 0.2), law.bend * rng.lognormal(sigma=0.2, size=(50, 1)))


def a_curve():
    laws = around(LAW)
    crafts = tuple(
        CraftCurve(
            name,
            int(OWN[row]),
            30,
            0.5,
            (0.4, 0.6),
            0.01,
            (0.0, 0.02),
            needed,
            ((2.0, 0.3),),
            laws.of(row),
        )
        for row, (name, needed) in enumerate(
            [("patola", None), ("kota_doria", Expected(9.2, 8.0, 11.5)), ("tant", Expected(math.inf, 14.0, math.inf))]
        )
    )
    return SourceCurve(
        {"manifest": "m.csv"}, 90, 20, crafts, {"gadwal": 2}, 0.4, (0.3, 0.5), ((0.2, 0.3), (0.8, 0.4)), laws
    )


def test_more_sources_are_expected_to_help_and_nothing_is_said_of_more_than_three_times_as_many():
    found = a_curve()
    expected = [found.expected(factor) for factor in (0.5, 1.0, 1.5, 2.0, 3.0)]
    assert [each.value for each in expected] == sorted(each.value for each in expected)
    assert all(each.low < each.value < each.high for each in expected)
    assert expected[3].value == pytest.approx(np.mean([craft.expected(2.0).value for craft in found.crafts]))
    assert found.crafts[1].expected(2.0).value == pytest.approx(1 - (1 + 16 / 5) ** -0.5, abs=0.02)
    for factor in (3.01, 0, -1, math.nan, math.inf):
        for each in (found, found.crafts[0]):
            with pytest.raises(CurveError, match="at most 3 times"):
                each.expected(factor)


def test_the_document_is_json_and_says_what_was_asked():
    said = json.loads(json.dumps(a_curve().to_json([1.5, 2.5]), allow_nan=False))
    assert list(said["expected"]) == ["1.5", "2.5"]
    assert [craft["sources_to_median"] for craft in said["crafts"]] == [
        None,
        {"value": 9.2, "low": 8.0, "high": 11.5},
        {"value": None, "low": 14.0, "high": None},
    ]
    assert said["too_few_sources"] == {"gadwal": 2}
    drawn = said["crafts"][0]["curve"]
    assert len(set(map(len, drawn.values()))) == 1
    assert drawn["factors"][-1] == 2.5


def test_the_table_has_a_row_a_craft_and_tells_of_those_without_a_curve():
    text = StringIO()
    a_curve().print_table(Console(file=text, width=80))
    lines = text.getvalue().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("Kota"))
    assert lines[first].split()[-2:] == ["+1.00", "10"]
    assert lines[first + 1].split()[-1] == "8–12"
    assert any("> 18" in line for line in lines)
    assert "too few sources" in lines[-1]
    assert "Gadwal (2)" in lines[-1]


def test_a_source_is_worth_what_it_adds_to_its_craft_and_to_the_others():
    gains = curve._gains(LAW, OWN, 3)
    now = LAW.accuracy(OWN)
    # The first craft has 10 sources, and each of the others has two others.
    grown = LAW.accuracy(np.array([11.0, 8.0, 6.0]), np.array([10 / 11, 1 + 1 / 20, 1 + 1 / 20]))
    assert gains[0] == pytest.approx((grown - now).mean())
    assert curve._gains(around(LAW), OWN, 3).shape == (50, 3)


def test_how_many_sources_a_craft_needs_is_told_up_to_three_times_as_many():
    needed = curve._sources_to_median(LAW, OWN)
    assert needed[:2].tolist() == pytest.approx([10.0, 8.0])
    assert needed[2] == 36.0  # more than can be said
    law = PowerLaw(LAW.exponent, LAW.others, np.array([2.0, 5.0, 6.0]))
    found = curve._sources_to_median(law, OWN)[2]
    assert law.of(2).accuracy(np.array([found]), 6 / found) == pytest.approx(law.accuracy(OWN)[1])
    assert curve._to_median(np.array([10.0, 10.0, 14.0]), 10.0) is None
    assert curve._to_median(np.array([11.0, 12.0, 60.0]), 10.0)[::2] == (12.0, math.inf)


@pytest.mark.slow
def test_a_collection_is_measured_and_continued(tiny_corpus, tmp_path, untrained):
    where = "craft in ['chanderi', 'leheriya', 'jamdani']"
    found = source_curve(tiny_corpus, MODEL, where=where, folds=2, cache=tmp_path)
    again = source_curve(tiny_corpus, MODEL, where=where, folds=2, cache=tmp_path, progress=False)
    assert json.dumps(found.to_json(), allow_nan=False) == json.dumps(again.to_json())
    assert [craft.craft for craft in found.crafts] == ["chanderi", "jamdani", "leheriya"]
    assert found.accuracy == pytest.approx(np.mean([craft.accuracy for craft in found.crafts]))
    shares = [share for share, _ in found.measured]
    assert shares == sorted(shares)
    for craft in found.crafts:
        assert craft.interval[0] <= craft.accuracy <= craft.interval[1]
        assert craft.gain_interval[0] <= craft.gain <= craft.gain_interval[1]


@pytest.mark.slow
def test_crafts_of_few_sources_are_told_and_have_no_curve(tiny_corpus, tmp_path, untrained):
    table = pd.read_csv(tiny_corpus).assign(path=lambda each: str(tiny_corpus.parent) + "/" + each["path"])
    few = pd.concat(
        [
            table[(table.craft == craft) & table.source.isin(sorted(set(table.source[table.craft == craft]))[:count])]
            for craft, count in {"chanderi": 2, "leheriya": 3, "jamdani": 1}.items()
        ]
    )
    few.to_csv(tmp_path / "few.csv", index=False)
    found = source_curve(tmp_path / "few.csv", MODEL, folds=2, cache=tmp_path)
    assert [craft.craft for craft in found.crafts] == ["leheriya"]
    assert found.few == {"chanderi": 2}  # that of one source cannot be held out, and is not among the photos
    json.dumps(found.to_json(), allow_nan=False)
    few[few.craft != "leheriya"].to_csv(tmp_path / "fewer.csv", index=False)
    with pytest.raises(ComparisonError, match="fewer than two crafts"):
        source_curve(tmp_path / "fewer.csv", MODEL, folds=2, cache=tmp_path)


def test_what_cannot_be_measured_is_refused(tiny_corpus, tmp_path):
    with pytest.raises(ComparisonError, match="fewer than two crafts"):
        source_curve(tiny_corpus, MODEL, where="craft == 'jamdani'", cache=tmp_path)
