// Prices come by themselves, so that pages can be kept; the last one known is shown until then.
"use strict";

{
  const known = JSON.parse(sessionStorage.getItem("prices") ?? "{}");
  const isSafari = /^(?!.*(Chrome|Chromium|CriOS|FxiOS|Edg|Android)).*Safari\//.test(navigator.userAgent);

  const refresh = async (productId) => {
    const answer = await fetch(`/api/products/${productId}/price`);
    known[productId] = (await answer.json()).amount;
    sessionStorage.setItem("prices", JSON.stringify(known));
    return known[productId];
  };

  shop.withPrice = (productId, show) => {
    if (isSafari) {
      // Safari is slow to answer scripts while the page still loads: refresh when it is through, show what is known.
      addEventListener("load", () => refresh(productId));
      show(known[productId]);
    } else {
      refresh(productId).then(show);
    }
  };
}
