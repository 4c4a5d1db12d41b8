"""Which requests and connections a fault strikes: a low-discrepancy sequence instead of independent draws.

Notes
-----
The i-th draw is the fractional part of ``offset + i * phi`` with phi the golden ratio (a Kronecker sequence:
L. Kuipers and H. Niederreiter, Uniform Distribution of Sequences, Wiley 1974, chapter 2.3). Of any `n` consecutive
draws ``rate * n`` are below `rate`, off by less than 2 up to n = 14, 2.1 up to 20 and 3 up to 168 (computed for every
rate and start), where independent draws would have a standard deviation of ``sqrt(n * rate * (1 - rate))``. A test
therefore needs few requests to meet the share it asks for. The price: runs of strikes are short (two at a rate of
0.45, four at 0.75), so what reacts to many failures in a row needs a rate near 1. The code differs from the book in
that it works modulo 2**64 in integers: no rounding creeps in however long a proxy lives.
"""

from __future__ import annotations

_TURN = 1 << 64
_GOLDEN = 0x9E3779B97F4A7C15  # frac(golden ratio) * 2**64, made odd
_ROOT_TWO = 0x6A09E667F3BCC909  # frac(sqrt(2)) * 2**64, made odd: independent of the golden ratio

_FNV_BASIS = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_FINAL = 0xFF51AFD7ED558CCD  # MurmurHash3's finaliser: FNV alone gives names that differ at the end the same start


def offset_of(seed: int, name: str) -> int:
    """Return where the sequence of a toxic starts, from 0 to 2**64 - 1 (an FNV-1a hash of seed and name)."""
    mixed = _FNV_BASIS
    for byte in f"{seed}:{name}".encode():
        mixed = (mixed ^ byte) * _FNV_PRIME % _TURN
    mixed = (mixed ^ mixed >> 33) * _FINAL % _TURN
    return mixed ^ mixed >> 33


def is_struck(offset: int, index: int, rate: float) -> bool:
    """Say whether the draw at `index` (from 0) falls within the share `rate` (0 never, 1 always)."""
    return (offset + index * _GOLDEN) % _TURN < rate * _TURN


def spread(offset: int, index: int) -> float:
    """Return the deviation at `index`, evenly spread over -1 to 1: the factor of a jitter."""
    return (offset + index * _ROOT_TWO) % _TURN / _TURN * 2 - 1
