// The product page: the price, the pictures, and the button that puts the product into the basket.
"use strict";

{
  const productId = document.body.dataset.product;
  const price = document.getElementById("price");
  const picture = document.getElementById("picture");

  for (const button of document.querySelectorAll(".view")) {
    button.addEventListener("click", () => {
      const drawing = button.firstElementChild.cloneNode(true);
      drawing.classList.replace("tiny", "large");
      picture.replaceChildren(drawing);
      for (const other of document.querySelectorAll(".view")) other.setAttribute("aria-pressed", `${other === button}`);
    });
  }

  const add = async () => {
    const quantity = Number(document.getElementById("quantity").value);
    const [isAdded, basket] = await shop.json("/api/cart/items", "POST", { product_id: productId, quantity });
    if (!isAdded) return;
    shop.count(basket.count);
    shop.track("add_to_cart", { "shop.product.id": productId, "shop.quantity": quantity });
    document.getElementById("added").textContent = "Added to the basket";
  };

  shop.withPrice(productId, (amount) => {
    price.textContent = `€${amount.toFixed(2)}`;
    price.setAttribute("aria-busy", "false");
    document.getElementById("buy").onclick = add;
  });
}
