import pytest

from prodintel_lib.errors import ConditionError, ParameterError
from prodintel_lib.faults.client import FaultClient

LATENCY = {
    "name": "latency_downstream",
    "type": "latency",
    "stream": "downstream",
    "toxicity": 1.0,
    "attributes": {"latency": 5, "jitter": 0},
}


@pytest.fixture
def client(faults):
    faults.client.populate([{"name": "db", "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9"}])
    return faults.client


def test_toxics_are_added_changed_listed_and_removed(client):
    assert client.add_toxic("db", "latency", {"latency": 5}) == LATENCY
    assert client.toxics("db") == [LATENCY]
    assert client.change_toxic("db", "latency_downstream", {"jitter": 1})["attributes"] == {"latency": 5, "jitter": 1}
    client.remove_toxic("db", "latency_downstream")
    assert client.toxics("db") == []


def test_populate_and_proxies_show_the_proxies(client):
    assert list(client.proxies()) == ["db"]
    assert client.proxies()["db"]["enabled"] is True


def test_http_toxics_names_what_the_server_adds(client):
    assert client.http_toxics() == ("http_latency", "http_status")


def test_http_toxics_is_empty_for_a_toxiproxy(client, monkeypatch):
    monkeypatch.setattr(client, "version", lambda: {"version": "2.12.0"})
    assert client.http_toxics() == ()


def test_applied_removes_the_toxic_in_the_end(client):
    with client.applied("db", "latency", {"latency": 5}, name="slow", stream="upstream", toxicity=0.5) as toxic:
        assert client.toxics("db") == [toxic]
        assert (toxic["name"], toxic["stream"], toxic["toxicity"]) == ("slow", "upstream", 0.5)
    assert client.toxics("db") == []


def test_applied_removes_the_toxic_when_the_block_fails(client):
    with pytest.raises(ZeroDivisionError), client.applied("db", "latency", {"latency": 5}):
        1 / 0  # noqa: B018
    assert client.toxics("db") == []


def test_applied_does_not_mind_a_reset(client):
    with client.applied("db", "latency", {"latency": 5}):
        client.reset()
    assert client.toxics("db") == []


def test_refusals_name_the_request_and_the_reason(client):
    with pytest.raises(ConditionError, match=r"answered POST /proxies/no/toxics with 404: 'proxy not found'\.\nHint:"):
        client.add_toxic("no", "latency", {})
    with pytest.raises(ConditionError, match=r"with 400: 'invalid toxic type'\.\nHint: .*prodintel faults serve"):
        client.add_toxic("db", "delay", {})


def test_no_server_is_a_condition_error(sockets):
    listener = sockets.listen()
    host, port = listener.getsockname()
    listener.close()

    with pytest.raises(ConditionError, match=rf"http://{host}:{port} does not answer GET /version: .*\nHint: start it"):
        FaultClient(f"http://{host}:{port}").version()


def test_another_server_is_a_condition_error(upstream):
    host, port = upstream.server_address

    with pytest.raises(ConditionError, match=r"answered GET /version with 200: b'answer to /version'"):
        FaultClient(f"http://{host}:{port}").version()


@pytest.mark.parametrize("url", ["", "127.0.0.1:8474", "https://127.0.0.1:8474", "http://"])
def test_a_url_it_cannot_use_is_refused(url):
    with pytest.raises(ParameterError, match=r"expected http://host:port"):
        FaultClient(url)
