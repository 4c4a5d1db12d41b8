"""What each kind of visitor does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Mapping

    from demo.storefront.visits.plans import Persona
    from demo.storefront.visits.shopper import Shopper


async def _search(shopper: Shopper, rng: random.Random) -> None:
    await shopper.open()
    await shopper.search()
    if rng.random() < 0.6:
        await shopper.search()
    if rng.random() < 0.5:
        await shopper.add()


async def _browse_categories(shopper: Shopper, rng: random.Random) -> None:
    await shopper.open()
    for _ in range(rng.randint(1, 3)):
        await shopper.browse()
        await shopper.choose_tile()
    if rng.random() < 0.4:
        await shopper.add()


async def _use_coupon(shopper: Shopper, rng: random.Random) -> None:
    await shopper.open()
    if rng.random() < 0.5:
        await shopper.browse()
    await shopper.choose_tile()
    await shopper.add()
    await shopper.look_at_basket()
    await shopper.redeem()
    await shopper.check_out()


async def _buy(shopper: Shopper, rng: random.Random) -> None:
    way_in = rng.random()
    if way_in < 0.35:
        await shopper.open()
        await shopper.search()
    elif way_in < 0.7:
        await shopper.open()
        await shopper.browse()
        await shopper.choose_tile()
    else:
        await shopper.land_on_product()
    await shopper.add()
    await shopper.look_at_basket()
    await shopper.check_out()


async def _bounce(shopper: Shopper, rng: random.Random) -> None:
    if rng.random() < 0.5:
        await shopper.open()
    else:
        await shopper.land_on_product()


async def _hesitate(shopper: Shopper, rng: random.Random) -> None:
    await shopper.open()
    await shopper.browse()
    for _ in range(rng.randint(2, 3)):
        await shopper.choose_tile()
        await shopper.go_back()
    await shopper.choose_tile()
    await shopper.add()
    await shopper.look_at_basket()
    await shopper.go_back()
    await shopper.look_at_basket()
    if rng.random() < 0.35:
        await shopper.check_out()


async def _return(shopper: Shopper, rng: random.Random) -> None:
    await shopper.open("/cart" if rng.random() < 0.3 else "/")
    await shopper.browse()
    await shopper.choose_tile()
    await shopper.add()
    await shopper.look_at_basket()
    await shopper.check_out()


PERSONAS: Final[Mapping[Persona, Callable[[Shopper, random.Random], Awaitable[None]]]] = {
    "searcher": _search,
    "category_browser": _browse_categories,
    "coupon_user": _use_coupon,
    "buyer": _buy,
    "bouncer": _bounce,
    "hesitant": _hesitate,
    "returner": _return,
}
