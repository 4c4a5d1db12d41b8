import pytest

from prodintel_lib.errors import ParameterError, SourceFormatError
from prodintel_lib.faults.config import Address, ProxyConfig, load_proxies, parse_address, parse_proxies


def test_load_proxies_reads_the_file_of_a_toxiproxy(tmp_path):
    path = tmp_path / "proxies.json"
    path.write_text(
        '[{"name": "payment", "listen": "127.0.0.1:0", "upstream": "localhost:9001", "enabled": false},'
        ' {"name": "auth", "listen": "[::1]:8001", "upstream": "10.0.0.7:80"},'
        ' {"name": "cart", "upstream": "10.0.0.7:81"}]'
    )

    assert load_proxies(path) == (
        ProxyConfig("payment", Address("127.0.0.1", 0), Address("localhost", 9001), enabled=False),
        ProxyConfig("auth", Address("::1", 8001), Address("10.0.0.7", 80)),
        ProxyConfig("cart", Address("127.0.0.1", 0), Address("10.0.0.7", 81)),
    )


def test_load_proxies_names_the_file_it_cannot_read(tmp_path):
    with pytest.raises(ParameterError, match=r"proxies\.json cannot be read: No such file.*\nHint: write one like"):
        load_proxies(tmp_path / "proxies.json")


def test_load_proxies_names_the_place_of_broken_json(tmp_path):
    path = tmp_path / "proxies.json"
    path.write_text('[\n  {"name": }\n]')

    with pytest.raises(SourceFormatError, match=r"proxies\.json:2:12 is not JSON"):
        load_proxies(path)


def test_load_proxies_refuses_what_is_not_utf8(tmp_path):
    path = tmp_path / "proxies.json"
    path.write_bytes(b'["\xff"]')

    with pytest.raises(SourceFormatError, match=r"not UTF-8 text \(byte 2\)"):
        load_proxies(path)


@pytest.mark.parametrize(
    ("document", "kind", "message"),
    [
        ({"name": "a"}, SourceFormatError, r"it\.json holds an object where a list of proxies is expected"),
        ([3], SourceFormatError, r"it\.json, proxy 1: a number where an object is expected"),
        ([{"name": "a", "upstrem": "b:1"}], ParameterError, r"Unknown key `upstrem`.*\n.*did you mean `upstream`"),
        ([{"upstream": "b:1"}], ParameterError, r"missing required field: name"),
        ([{"name": "a"}], ParameterError, r"missing required field: upstream"),
        ([{"name": "a/b", "upstream": "b:1"}], ParameterError, r"`name` is 'a/b'"),
        ([{"name": "a", "upstream": "b:1", "enabled": "yes"}], ParameterError, r"`enabled` is 'yes'"),
        ([{"name": "a", "upstream": "b:1"}] * 2, ParameterError, r"names proxy `a` 2 times"),
        ([{"name": "a", "upstream": "b:0"}], ParameterError, r"`upstream` is 'b:0'; expected host:port .* from 1 to"),
    ],
)
def test_parse_proxies_says_what_is_wrong_and_where(document, kind, message):
    with pytest.raises(kind, match=message):
        parse_proxies(document, where="it.json")


@pytest.mark.parametrize(
    ("text", "address"),
    [("a.b:1", Address("a.b", 1)), (":80", Address("0.0.0.0", 80)), ("[::1]:65535", Address("::1", 65535))],
)
def test_parse_address_reads_hosts_and_ports(text, address):
    assert parse_address(text, key="listen", where="it") == address


@pytest.mark.parametrize(
    "text", ["a", "a:", "a:b", "a:65536", "a:-1", "::1:80", "http://a:80", "a b:1", "a:²", 80, None]
)
def test_parse_address_refuses_what_is_none(text):
    with pytest.raises(ParameterError, match=r"it: `listen` is .*; expected host:port"):
        parse_address(text, key="listen", where="it")


def test_address_shows_ipv6_in_brackets():
    assert str(Address("::1", 80)) == "[::1]:80"
    assert str(Address("127.0.0.1", 80)) == "127.0.0.1:80"
