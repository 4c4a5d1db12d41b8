"""Log lines made from a seed, with the number of the statement that made each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

    Values = Callable[[np.random.Generator, int], pl.Series]

LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))
BLOCK = 1_000_000


def _whole(low: int, high: int) -> Values:
    return lambda rng, n: pl.Series(rng.integers(low, high, n)).cast(pl.String())


def _decimal(scale: float) -> Values:
    return lambda rng, n: pl.Series((rng.random(n) * scale).round(3)).cast(pl.String())


def _address(rng: np.random.Generator, n: int) -> pl.Series:
    parts = pl.DataFrame({str(k): rng.integers(1, 255, n) for k in range(4)})
    return parts.select(pl.concat_str(pl.all(), separator=".")).to_series()


def _identifier(rng: np.random.Generator, n: int) -> pl.Series:
    hexed = pl.DataFrame({"a": rng.integers(0, 2**62, n)})
    return hexed.select(pl.col("a").hash(seed=7).cast(pl.String())).to_series()


def _one_of(*words: str) -> Values:
    pool = pl.Series(words)
    return lambda rng, n: pool.gather(rng.integers(0, len(words), n))


def _name(pool_size: int) -> Values:
    """Words of letters only, which no mask can tell from those of a language; a few come often and most seldom."""
    letters = np.random.default_rng(11).integers(0, 26, (pool_size, 8))
    pool = pl.Series(["".join(row) for row in LETTERS[letters]])
    return lambda rng, n: pool.gather((rng.random(n) ** 3 * pool_size).astype(np.int64))


# A statement: pieces of text, and what makes the values between them.
FEW: tuple[tuple[str | Values, ...], ...] = (
    ("Received block blk_", _whole(-(10**9), 10**9), " of size ", _whole(1, 10**8), " from ", _address),
    ("Served block blk_", _whole(-(10**9), 10**9), " to ", _address),
    ("connection from ", _address, " port ", _whole(1024, 65000), " closed"),
    ("connection from ", _address, " port ", _whole(1024, 65000), " refused: too many open files"),
    ("request GET /api/orders/", _whole(1, 10**6), " took ", _decimal(900), " ms, status ", _whole(200, 599)),
    ("request POST /api/orders took ", _decimal(900), " ms, status ", _whole(200, 599)),
    ("order ", _whole(1, 10**7), " of customer ", _identifier, " paid"),
    ("order ", _whole(1, 10**7), " of customer ", _identifier, " not paid: card declined"),
    ("order ", _whole(1, 10**7), " of customer ", _identifier, " not paid: gateway timed out after ", _decimal(9), "s"),
    ("worker started with pid=", _whole(1, 32000), " threads=", _whole(1, 64), " queue=", _one_of("mail", "push")),
    ("worker stopped with pid=", _whole(1, 32000)),
    ("cache hit ratio ", _decimal(100), "% over ", _whole(1, 10**6), " lookups"),
    ("GC pause ", _decimal(300), " ms, heap ", _whole(100, 900), " MB of ", _whole(900, 999), " MB"),
    ("slow statement: ", _decimal(9000), " ms, ", _whole(1, 10**5), " rows"),
    ("could not reach ", _address, ":", _whole(1024, 65000), ", retry ", _whole(1, 9), " of 9"),
    ("token ", _identifier, " expired"),
    ("token ", _identifier, " rejected: bad signature"),
    ("health check ok"),
    ("configuration loaded from /etc/shop/", _one_of("main", "extra"), ".yaml"),
    ("scheduler woke, ", _whole(0, 99), " jobs due, ", _whole(0, 9), " late"),
)
MANY: tuple[tuple[str | Values, ...], ...] = (
    *FEW[:10],
    ("session opened for user ", _name(50_000), " from ", _address),
    ("session closed for user ", _name(50_000)),
    ("login failed for user ", _name(200_000), " on realm ", _one_of("shop", "admin"), ": wrong password"),
    ("file ", _name(100_000), " uploaded by ", _name(50_000), " in ", _whole(1, 999), " ms"),
    ("mail to ", _name(200_000), "@", _name(3_000), ".example queued"),
    ("search for ", _name(100_000), " found ", _whole(0, 500), " products"),
    ("coupon ", _name(20_000), " applied to cart ", _whole(1, 10**6)),
)


def make_lines(count: int, *, many: bool, seed: int) -> pl.DataFrame:
    """Return `count` lines in an order made of the seed: ``time_us, service_name, message, statement``."""
    statements = MANY if many else FEW
    blocks = []
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        rng = np.random.default_rng([seed, start])
        # Statements differ in how often they are reached, as they do in programs.
        weights = 1 / np.arange(1, len(statements) + 1) ** 0.7
        sizes = rng.multinomial(size, weights / weights.sum())
        parts = [
            pl.DataFrame({"message": _lines(pieces, rng, int(n)), "statement": np.full(n, number)})
            for number, (pieces, n) in enumerate(zip(statements, sizes, strict=True))
            if n
        ]
        shuffled = pl.concat(parts)[rng.permutation(size)]
        blocks.append(
            shuffled.select(
                (pl.int_range(pl.len()).cast(pl.Int64) + start).alias("time_us"),
                pl.lit("shop").alias("service_name"),
                "message",
                pl.col("statement").cast(pl.Int64),
            )
        )
    return pl.concat(blocks)


def _lines(pieces: tuple[str | Values, ...] | str, rng: np.random.Generator, n: int) -> pl.Series:
    whole = (pieces,) if isinstance(pieces, str) else pieces
    columns = [
        pl.Series(str(at), [piece]).new_from_index(0, n) if isinstance(piece, str) else piece(rng, n).alias(str(at))
        for at, piece in enumerate(whole)
    ]
    return pl.DataFrame(columns).select(pl.concat_str(pl.all())).to_series()
