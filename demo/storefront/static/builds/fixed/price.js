// Prices come by themselves, so that pages can be kept; the last one known is shown until then.
"use strict";

{
  const known = JSON.parse(sessionStorage.getItem("prices") ?? "{}");

  const refresh = async (productId) => {
    const answer = await fetch(`/api/products/${productId}/price`);
    known[productId] = (await answer.json()).amount;
    sessionStorage.setItem("prices", JSON.stringify(known));
    return known[productId];
  };

  shop.withPrice = (productId, show) => {
    if (productId in known) show(known[productId]);
    refresh(productId).then(show);
  };
}
