"""The card of an answer: what its gauge shows, and when there is none."""

import re

import pytest

from saree_cosface.answers.attribution import RankedTradition
from saree_cosface.answers.verdict import Verdict
from saree_cosface.html.parts import Part, folded, spread
from saree_cosface.languages.packaged import english
from saree_cosface.pages.verdict_card import gauge
from tests.helpers.hostile import HOSTILE, tame
from tests.helpers.numbers import calibration_with

NAMED = Verdict("tradition", ("a",), "", ())


def ranked(*cosines, allowance=0.0):
    return tuple(
        RankedTradition(name, name.upper(), "", "", cosine, allowance=allowance)
        for name, cosine in zip("abc", cosines, strict=False)
    )


def shown(cosines, verdict, **more):
    return gauge(ranked(*cosines, **more), verdict, calibration_with(cosine=0.6, known=0.25), english())


def test_gauge_marks_the_piece_in_the_zone_of_its_verdict():
    for cosine, verdict in (
        (0.7, NAMED),
        (0.4, Verdict("unsure", (), "", ())),
        (0.1, Verdict("outside", (), "", ())),
    ):
        drawn = shown([cosine, 0.0], verdict)
        assert re.findall(r"width:([\d.]+)%", drawn) == ["25.0", "35.0", "40.0"]
        assert re.findall(r"left:([\d.]+)%", drawn) == [f"{100 * cosine:.1f}"]
        assert re.findall(r'zone (\w+) here"', drawn) == [verdict.kind]
        word = {"tradition": "a name", "unsure": "not sure"}.get(verdict.kind, "outside")
        assert re.findall(r'class="label here"[^>]*>([^<]+)<', drawn) == [word]
        assert f"{cosine:.2f} on a line from 0 to 1: outside below 0.25, not sure up to 0.60" in drawn


def test_gauge_marks_both_of_two_and_counts_allowances():
    drawn = shown([0.7, 0.65], Verdict("between", ("a", "b"), "", ()))
    assert re.findall(r'<i( class="second")? style="left:([\d.]+)%', drawn) == [
        ("", "70.0"),
        (' class="second"', "65.0"),
    ]
    assert "left:65.0%" in shown([0.55, 0.1], NAMED, allowance=0.1)


@pytest.mark.parametrize(("cosine", "kind"), [(0.7, "outside"), (0.4, "between"), (0.1, "unsure"), (0.1, "between")])
def test_gauge_never_contradicts_the_verdict(cosine, kind):
    assert shown([cosine, 0.0], Verdict(kind, ("a", "b"), "", ())) == ""


def test_parts_are_folded_for_the_screen_and_spread_for_paper():
    parts = [Part(HOSTILE, HOSTILE, "<p>one</p>"), Part("Two", "", "<p>two</p>")]
    screen, paper = folded(parts), spread(parts)
    assert HOSTILE in tame(screen)
    assert screen.count("<details>") == 2
    assert HOSTILE in tame(paper)
    assert paper.count("<h2>") == 2
    assert "details" not in paper
