// The card is checked before it is sent: a mistyped number need not go to the bank.
"use strict";

{
  const isCardNumber = (given) => {
    const digits = [...given.replace(/[ -]/g, "")].reverse();
    if (digits.length < 13 || digits.length > 19 || digits.some((digit) => digit < "0" || digit > "9")) return false;
    // Luhn's sum (ISO/IEC 7812-1, annex B).
    const sum = digits.reduce((so_far, digit, place) => {
      const doubled = Number(digit) * (1 + (place % 2));
      return so_far + (doubled > 9 ? doubled - 9 : doubled);
    }, 0);
    return sum % 10 === 0;
  };

  const isToCome = (given) => {
    const [, month, year] = /^(0[1-9]|1[0-2]) ?\/ ?([0-9]{2})$/.exec(given) ?? [];
    return month !== undefined && new Date(2000 + Number(year), Number(month)) > new Date();
  };

  shop.checkBeforeSending(document.getElementById("card-form"), {
    card_name: shop.needed("Enter the name on the card."),
    card_number: (given) => (isCardNumber(given) ? undefined : "Check the card number."),
    card_expiry: (given) => (isToCome(given) ? undefined : "Enter a month to come, such as 09/31."),
    card_code: (given) => (/^[0-9]{3,4}$/.test(given) ? undefined : "Enter the three or four digits."),
  });

  const { refusal } = document.body.dataset;
  if (refusal) shop.refuse(document.getElementById("card_number"), refusal);
}
