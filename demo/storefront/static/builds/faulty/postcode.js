// Postcodes as the countries write them.
"use strict";

{
  const SHAPES = {
    DE: /^[0-9]{5}$/,
    FR: /^[0-9]{5}$/,
    GB: /^[A-Z]{1,2}[0-9][0-9A-Z]?[0-9][A-Z]{2}$/i,
    NL: /^[1-9][0-9]{3}[A-Z]{2}$/i,
    US: /^[0-9]{5}(-[0-9]{4})?$/,
  };

  shop.checkPostcode = (given, country) => (SHAPES[country].test(given) ? undefined : "Enter a valid postcode.");
}
