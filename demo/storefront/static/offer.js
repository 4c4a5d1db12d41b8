// Today's offer comes late, above all else: the pages below it move down, as on many a shop's first page.
"use strict";

fetch("/api/offer").then(async (answer) => {
  const offer = document.getElementById("offer");
  offer.textContent = (await answer.json()).text;
  offer.hidden = false;
});
