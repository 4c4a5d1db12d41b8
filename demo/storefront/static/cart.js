// The basket: quantities, removal and the coupon, without a new page.
"use strict";

{
  const show = (basket) => {
    if (!basket.count) return location.reload();
    shop.count(basket.count);
    for (const name of ["goods", "shipping", "total"]) {
      document.getElementById(name).textContent = shop.money(basket[`${name}_cents`]);
    }
    document.getElementById("discount").textContent = `−${shop.money(basket.discount_cents)}`;
    document.getElementById("coupon-name").textContent = basket.coupon;
    for (const line of document.querySelectorAll(".lines > li")) {
      const amountCents = basket.lines[line.dataset.product];
      if (amountCents === undefined) line.remove();
      else line.querySelector(".line-amount").textContent = shop.money(amountCents);
    }
  };

  const put = async (line, quantity) => {
    const [isDone, basket] = await shop.json(`/api/cart/items/${line.dataset.product}`, "PUT", { quantity });
    if (isDone) show(basket);
  };

  for (const line of document.querySelectorAll(".lines > li")) {
    line.querySelector(".quantity").addEventListener("change", (event) => put(line, Number(event.target.value)));
    line.querySelector(".remove").addEventListener("click", () => put(line, 0));
  }

  document.getElementById("coupon-form")?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = document.getElementById("coupon");
    if (!field.value.trim()) return shop.complain(field, "Enter a coupon code.");
    const [isKnown, basket] = await shop.json("/api/cart/coupon", "POST", { code: field.value });
    shop.complain(field, isKnown ? "" : "This code is not known.");
    if (!isKnown) return;
    document.getElementById("coupon-applied").textContent = "The coupon is applied.";
    show(basket);
  });
}
