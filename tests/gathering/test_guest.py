from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from saree_cosface.gathering.addresses import Forbidden
from saree_cosface.gathering.guest import LONGEST_WAIT, TRIES, Guest, Unavailable, user_agent
from tests.helpers.services import Services, body, said, status


@pytest.fixture
def served():
    """A server, a guest of it, and the seconds that the guest has waited."""
    with Services() as services:
        waited = []
        with Guest("me@example.org", api=services.address, sleep=waited.append) as guest:
            yield services, guest, waited


def ask(services, guest, **options):
    return guest.json(f"{services.address}/v1/images/", {"q": "saree"}, **options)


def after(*answers):
    """Answers one after the other, then {}."""
    left = list(answers)
    return lambda path: left.pop(0) if left else said({})


def test_it_says_who_asks_and_takes_packed_answers(served):
    services, guest, waited = served
    services.before = after(said({"a": 1}))
    assert ask(services, guest) == {"a": 1}
    assert services.asked == ["/v1/images/?q=saree"]
    assert services.agents[0].startswith("saree-cosface/")
    assert "(me@example.org)" in services.agents[0]
    assert waited == []
    assert guest.requests == {"127.0.0.1": 1}


@pytest.mark.parametrize(
    "contact", ["", "me", "a b@example.org", "me@example.org\nX-Other: 1", "é@example.org", "@", "x@"]
)
def test_a_contact_that_is_none_is_refused(contact):
    with pytest.raises(ValueError, match="neither an e-mail address nor a web page"):
        user_agent(contact)


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_busy_servers_are_waited_for_longer_each_time(served, code):
    services, guest, waited = served
    services.before = after(status(code), status(code), said([1]))
    assert ask(services, guest) == [1]
    assert waited == [1, 2]


def test_a_server_that_says_how_long_is_believed(served):
    services, guest, waited = served
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    services.before = after(
        status(429, Retry_After="17"), status(503, Retry_After=soon), status(503, Retry_After="x"), said(1)
    )
    assert ask(services, guest) == 1
    assert waited[0] == 17
    assert 25 < waited[1] <= 30
    assert waited[2] == 4


def test_one_that_asks_for_hours_is_left_alone(served):
    services, guest, waited = served
    services.before = after(status(429, Retry_After=str(int(LONGEST_WAIT) + 7000)))
    with pytest.raises(Unavailable, match=r"answers 429, and asks to come back in 2\.0 h"):
        ask(services, guest)
    assert waited == []
    assert len(services.asked) == 1


def test_it_gives_up_in_the_end(served):
    services, guest, waited = served
    services.before = lambda path: status(503)
    with pytest.raises(Unavailable, match=f"127.0.0.1 answers 503, {TRIES} times over"):
        ask(services, guest)
    assert len(services.asked) == TRIES
    assert len(waited) == TRIES - 1


def test_the_errors_of_a_busy_wiki_are_waited_for(served):
    services, guest, waited = served
    lag = {"error": {"code": "maxlag", "info": "Waiting for a database server: 7 seconds lagged", "lag": 7}}
    services.before = after(
        said(lag, Retry_After="5"), said({"error": {"code": "ratelimited"}}), said({"batchcomplete": True})
    )
    assert ask(services, guest) == {"batchcomplete": True}
    assert waited == [5, 2]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (body(b"<html>Log in to our network</html>", "text/html"), "no JSON .text/html.; is a proxy"),
        (body(b"[" * 100_000, "application/json"), "no JSON"),
        (status(401), "answers 401"),
        (status(302), "answers 302"),
        (body(b'{"a": 1}', Content_Length="900"), "cannot be reached"),
        (body(b'{"a": 1}', Content_Encoding="gzip"), "cannot be reached"),
    ],
)
def test_what_is_no_answer_says_why(served, answer, why):
    services, guest, _ = served
    services.before = lambda path: answer
    with pytest.raises(Unavailable, match=why):
        ask(services, guest)


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1:1/",
        "http://localhost:8000/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "ftp://a/b",
        "http://example.org/a.jpg",
        "//127.0.0.1:1/a",
        "https://127.0.0.1/",
        "file:///etc/passwd",
    ],
)
def test_a_redirect_may_lead_only_where_requests_may(served, place):
    services, guest, _ = served
    services.before = after(status(302, Location=place))
    with pytest.raises(Forbidden):
        ask(services, guest)
    assert len(services.asked) == 1


def test_an_answer_that_takes_for_ever_is_left(served, monkeypatch):
    services, guest, _ = served
    services.before = lambda path: said({"a": 1})
    monkeypatch.setattr("saree_cosface.gathering.guest.LONGEST_ANSWER", -1.0)
    with pytest.raises(Unavailable, match="answers without end"):
        ask(services, guest)


def test_redirects_are_followed_and_end(served):
    services, guest, _ = served
    services.before = after(status(301, Location="/w/api.php"), said(5))
    assert ask(services, guest) == 5
    assert services.asked[-1] == "/w/api.php"
    services.before = lambda path: status(302, Location=path)
    with pytest.raises(Forbidden, match="from one address to the next"):
        ask(services, guest)


def test_a_host_has_its_rest_between_requests(served):
    services, guest, waited = served
    services.before = lambda path: said(1)
    ask(services, guest, pause=3.0)
    ask(services, guest, pause=3.0)
    assert len(waited) == 1
    assert 2.5 < waited[0] <= 3


def test_an_address_that_is_none_is_refused():
    with Guest("me@example.org") as guest, pytest.raises(Forbidden, match="an address that is none"):
        guest.json("https://[::1/", {})
    with pytest.raises(ValueError, match="--api nowhere is no address"):
        Guest("me@example.org", api="nowhere")


def test_nobody_there_is_said():
    waited = []
    nobody = "http://127.0.0.1:9"
    why = r"127\.0\.0\.1 cannot be reached \(.*refused.*4 times over"
    with Guest("me@example.org", api=nobody, sleep=waited.append) as guest, pytest.raises(Unavailable, match=why):
        guest.json(f"{nobody}/v1/images/", {})
    assert waited == [1, 2, 4]
