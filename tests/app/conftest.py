"""The browser that tests of the app look into."""

import pytest

from app.gradio_alone import import_gradio

import_gradio()  # before a module imports it with what it does for editors


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    from tests.helpers.browser import open_chromium  # selenium is for those who ask for a browser

    with open_chromium(tmp_path_factory.mktemp("downloads")) as driver:
        yield driver


@pytest.fixture
def scheme(request, chromium):
    """ "light" or "dark", as the parameter says; the browser tells pages so."""
    from tests.helpers.browser import preferring

    with preferring(chromium, request.param):
        yield request.param
