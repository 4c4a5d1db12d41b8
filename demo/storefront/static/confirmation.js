// A purchase is told once, however often its page is looked at.
"use strict";

{
  const { order, total, items } = document.body.dataset;
  if (sessionStorage.getItem("told") !== order) {
    sessionStorage.setItem("told", order);
    const worth = { "shop.order.value": Number(total), "shop.order.items": Number(items) };
    shop.track("purchase", { "shop.order.id": order, ...worth });
  }
}
