import gzip

import pytest
import zstandard

from prodintel_lib.sources import decompress
from prodintel_lib.sources.decompress import ByteStream, read_head

LINES = b"".join(b'{"line": %d}\n' % number for number in range(50_000))


def read(path):
    stream = ByteStream(path)
    return b"".join(stream.blocks()), stream.damage


def test_blocks_gives_plain_content_as_it_is(tmp_path):
    path = tmp_path / "plain.gz"
    path.write_bytes(LINES)
    assert read(path) == (LINES, "")


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_blocks_decompresses_by_content_not_by_name(tmp_path, pack):
    path = tmp_path / "export.txt"
    path.write_bytes(pack(LINES))
    assert read(path) == (LINES, "")


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_blocks_reads_members_after_each_other(tmp_path, pack):
    path = tmp_path / "export"
    path.write_bytes(pack(b"one\n") + pack(b"two\n"))
    assert read(path) == (b"one\ntwo\n", "")


@pytest.mark.parametrize(
    ("pack", "damage"),
    [(gzip.compress, "truncated gzip data"), (zstandard.compress, "truncated zstd data")],
    ids=["gzip", "zstd"],
)
def test_blocks_keeps_what_was_readable_of_truncated_data(tmp_path, pack, damage):
    whole = pack(LINES)
    path = tmp_path / "export"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    content, said = read(path)
    assert said == damage
    assert len(content) > len(LINES) // 4
    assert LINES.startswith(content)


def test_blocks_says_that_gzip_data_is_corrupt(tmp_path):
    whole = bytearray(gzip.compress(LINES))
    whole[len(whole) // 2 : len(whole) // 2 + 64] = bytes(64)
    path = tmp_path / "export"
    path.write_bytes(whole)
    content, said = read(path)
    assert said == "corrupt gzip data"
    assert LINES.startswith(content[:1000])


def test_blocks_says_that_zstd_data_is_corrupt(tmp_path):
    path = tmp_path / "export"
    path.write_bytes(zstandard.compress(b"one\n") + b"\x28\xb5\x2f\xfd" + b"\xff" * 64)
    assert read(path) == (b"one\n", "corrupt zstd data")


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_blocks_stay_small_when_the_data_is_a_bomb(tmp_path, pack):
    path = tmp_path / "bomb"
    path.write_bytes(pack(b"\0" * 100_000_000))
    stream = ByteStream(path)
    sizes = [len(block) for block in stream.blocks()]
    assert sum(sizes) <= 85 << 20
    assert max(sizes) <= 20 << 20
    assert stream.damage == "expands more than 400 times: given up as a decompression bomb"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_blocks_gives_utf_16_as_utf_8(tmp_path, encoding):
    path = tmp_path / "export"
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    path.write_bytes(mark + "käse 😀\n".encode(encoding))
    assert read(path) == ("käse 😀\n".encode(), "")


def test_blocks_says_that_utf_16_is_cut(tmp_path):
    path = tmp_path / "export"
    path.write_bytes("one\n".encode("utf-16") + b"x")
    assert read(path) == (b"one\n", "corrupt UTF-16")


def test_read_head_stops_early(tmp_path, monkeypatch):
    monkeypatch.setattr(decompress, "BLOCK_BYTES", 16)
    path = tmp_path / "export"
    path.write_bytes(LINES)
    assert read_head(path, size_bytes=20) == LINES[:20]
