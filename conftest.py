"""What all tests share, and what the examples in docstrings find under its name."""

import gc
import os
import signal
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module

import hypothesis
import pytest
from coverage import Coverage

# A shell has what it starts in the background ignore Ctrl-C, and what tests start, and interrupt, would ignore it, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

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
    "tests/test_documents_how_to.py",
    "tests/test_documents.py",
    "tests/shards/test_on_ray.py",
    "tests/test_release.py",
    "tests/app/test_curators_review_browser.py",
    "tests/test_notebooks.py",
    "tests/commands/test_curate_loop.py",
    "tests/app/test_page_served.py",
    "tests/app/test_identify_browser.py",
    "tests/runs/test_create_again.py",
    "tests/networks/test_int8.py",
    "tests/training/test_fit_together.py",
    "tests/scoring/test_context.py",
    "tests/scoring/test_int8.py",
    "tests/faces/test_toy.py",
    "tests/pages/test_report.py",
    "tests/answers/test_examination.py",
)
"""Modules whose slow tests take most of a minute and more each, the longest first."""

MEASURED = (
    "tests/answers/test_enrolment.py",
    "tests/app/test_curators_review.py",
    "tests/app/test_desk.py",
    "tests/app/test_speaking_everywhere.py",
    "tests/app/test_traditions.py",
    "tests/cards/test_make.py",
    "tests/commands/test_curate_loop.py",
    "tests/commands/test_curve.py",
    "tests/commands/test_faces.py",
    "tests/commands/test_gallery.py",
    "tests/commands/test_gather.py",
    "tests/commands/test_next.py",
    "tests/curation/test_decisions_any.py",
    "tests/curation/test_log_commands.py",
    "tests/curation/test_log_damaged.py",
    "tests/faces/test_toy.py",
    "tests/faces/test_verification.py",
    "tests/pages/test_report.py",
    "tests/review/test_unlabelled.py",
    "tests/runs/test_postgres.py",
    "tests/runs/test_shared_gallery.py",
    "tests/runs/test_shared_log.py",
    "tests/scoring/test_audit.py",
    "tests/scoring/test_backbones.py",
    "tests/scoring/test_calibrate.py",
    "tests/scoring/test_comparison.py",
    "tests/scoring/test_confidence.py",
    "tests/scoring/test_int8.py",
    "tests/shards/test_on_ray.py",
    "tests/shards/test_reading.py",
    "tests/sharing/test_share.py",
)
"""Modules whose slow tests run lines that the quick tests do not. Coverage is measured in these and in all quick tests:
the other slow tests run hardly a line more, and would take a quarter longer."""

LIBRARIES = ("torch", "lightning.pytorch", "sklearn", "pandas", "matplotlib.pyplot", "scipy.stats", "hypothesis")
"""Of others, which most tests need: to measure while they are loaded takes as long again as to load them."""

pytest_plugins = ("tests.helpers.tiny", "tests.helpers.postgres", "tests.helpers.tour")

pytest.register_assert_rewrite("tests.helpers.map_page")  # whose assertions say what they saw, as those of tests do


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that no worker is left with it, or with more behind it, in the end."""
    place = {module: number for number, module in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(module_of(item), len(place)))


def module_of(item: pytest.Item) -> str:
    return item.nodeid.split("::")[0]


@contextmanager
def unmeasured() -> Iterator[None]:
    """Coverage, where it is measured, stops within this context."""
    measuring = Coverage.current()
    if measuring is None:
        yield
        return
    measuring.stop()
    try:
        yield
    finally:
        measuring.start()


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Libraries are loaded, as the modules of tests would do one after another; not by what only shares out the tests
    among workers."""
    if session.config.getoption("dist") != "no":
        return
    with unmeasured():
        for library in LIBRARIES:
            import_module(library)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Coverage stops while a test that is not measured is set up, run and taken down."""
    with unmeasured() if item.get_closest_marker("slow") and module_of(item) not in MEASURED else nullcontext():
        return (yield)


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
