// Forms: each field's check runs before anything is sent; what is wrong is said beside the field.
"use strict";

{
  const complain = (field, problem) => {
    document.getElementById(`${field.id}-problem`).textContent = problem;
    field.setAttribute("aria-invalid", `${!!problem}`);
    if (problem) shop.refuse(field, problem);
  };

  // `checks`: by the field's id a function of its value and the form, which returns the problem or nothing.
  shop.checkBeforeSending = (form, checks) => {
    form.addEventListener("submit", (event) => {
      let firstWrong;
      for (const [id, check] of Object.entries(checks)) {
        const field = document.getElementById(id);
        const problem = check(field.value.trim(), form) ?? "";
        complain(field, problem);
        if (problem) firstWrong ??= field;
      }
      if (firstWrong) {
        event.preventDefault();
        firstWrong.focus();
      }
    });
  };

  shop.complain = complain;
  shop.needed = (problem) => (given) => (given ? undefined : problem);
}
