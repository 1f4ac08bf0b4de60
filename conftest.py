"""What all tests share, and what the examples in docstrings find under its name."""

import gc
import os

import hypothesis
import pytest

# Memory that a network gives back is kept for the next photo by this process's children, the workers among them: what
# glibc does instead, giving it to the system and asking for it again, takes a seventh of the time of features.
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(2**32))
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(2**30))

# Workers share the cores: before anything is imported that would take them all.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ and "SAREE_COSFACE_THREADS" not in os.environ:
    from saree_cosface.machine.threads import VARIABLE, share, use

    os.environ[VARIABLE] = str(share(int(os.environ["PYTEST_XDIST_WORKER_COUNT"])))
    use()

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# What is faster on this machine would have to be found out, and could be another way in each worker.
os.environ.setdefault("SAREE_COSFACE_RUNTIME", "openvino")

LONGEST = (
    "tests/shards/test_on_ray.py",
    "tests/test_release.py",
    "tests/test_documents.py",
    "tests/app/test_curators_review_browser.py",
    "tests/test_notebooks.py",
    "tests/commands/test_curate_loop.py",
    "tests/app/test_page_served.py",
    "tests/app/test_identify_browser.py",
    "tests/runs/test_run.py",
    "tests/networks/test_int8.py",
    "tests/training/test_fit_together.py",
    "tests/scoring/test_context.py",
    "tests/scoring/test_int8.py",
    "tests/faces/test_toy.py",
    "tests/pages/test_report.py",
    "tests/answers/test_examination.py",
)
"""Modules whose slow tests take most of a minute and more each, the longest first."""

UNMEASURED = (
    "tests/app/test_curators_review_browser.py",
    "tests/data/test_check.py",
    "tests/faces/test_training.py",
    "tests/figures/test_confusion.py",
    "tests/figures/test_curve.py",
    "tests/maps/test_by_craft.py",
    "tests/networks/test_export.py",
    "tests/networks/test_int8.py",
    "tests/networks/test_side_by_side.py",
    "tests/pages/test_report.py",
    "tests/runs/test_run.py",
    "tests/scoring/test_context.py",
    "tests/test_cli.py",
    "tests/test_documents.py",
    "tests/training/test_fit.py",
)
"""Modules whose slow tests take long, and run hardly a line that no other test runs: while they run, coverage is not
measured, which would take them a quarter longer."""

pytest_plugins = ("tests.helpers.tiny", "tests.helpers.postgres")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that no worker is left with it, or with more behind it, in the end."""
    place = {module: number for number, module in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(module_of(item), len(place)))
    for item in items:
        if module_of(item) in UNMEASURED and item.get_closest_marker("slow"):
            item.add_marker("no_cover")


def module_of(item: pytest.Item) -> str:
    return item.nodeid.split("::")[0]


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: that it is looked through for garbage again and again takes
    a good part of the time of small tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _names_of_examples(request: pytest.FixtureRequest) -> None:
    """``run_folder``, ``manifest_file``, ``photo``, ``cache`` and ``out``: made for the examples that use them."""
    example = getattr(request.node, "dtest", None)
    used = " ".join(step.source for step in example.examples) if example is not None else ""
    if "run_folder" in used or "manifest_file" in used:
        example.globs.update(request.getfixturevalue("names_in_examples"))
