// Behaviour of the register's forms. They work without it; with it, a field where a unit is typed offers the units whose names begin so.
"use strict";

for (const field of document.querySelectorAll("input[data-units]")) {
  const list = document.getElementById(field.getAttribute("list"));
  let asked = 0;
  let timer;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const turn = ++asked;
      const sought = field.value.trim();
      if (sought.length < 2) return;
      try {
        const said = await fetch(`/pages/register/places?q=${encodeURIComponent(sought)}`, { headers: { "hx-request": "true" } });
        if (said.status !== 200 || turn !== asked) return;
        const units = (await said.text()).split("\n").filter((line) => line !== "");
        list.replaceChildren(...units.map((unit) => {
          const option = document.createElement("option");
          option.value = unit;
          return option;
        }));
      } catch {
        // The field takes names and codes without an offer too.
      }
    }, 150);
  });
}
