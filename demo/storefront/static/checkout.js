// The address is checked before it is sent.
"use strict";

shop.checkBeforeSending(document.getElementById("address-form"), {
  email: (given) =>
    /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(given) ? undefined : "Enter an e-mail address, such as name@shop.example.",
  name: shop.needed("Enter your name."),
  address: shop.needed("Enter a street and a number."),
  city: shop.needed("Enter a town."),
  postcode: (given, form) => shop.checkPostcode(given, form.elements.country.value),
});
