// Behaviour of the pages of the service. A page works without it; with it, it is quicker.
"use strict";

// A second click on a button of a form that is on its way does nothing.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  const pressed = event.submitter;
  if (pressed && pressed.classList.contains("btn")) {
    pressed.setAttribute("aria-busy", "true");
  }
});

// A page that comes back from the browser's store may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
  }
});

// Single keys press what carries them as `data-key`, while the focus is inside the same `data-keys` and in no field.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || event.repeat) return;
  const at = document.activeElement;
  if (!at || at.matches("input:not([type=checkbox]), select, textarea")) return;
  const place = at.closest("[data-keys]");
  if (!place || place.dataset.keys === "off") return;
  const key = event.key.toLowerCase();
  const target = [...document.querySelectorAll("[data-key]")].find((element) => element.dataset.key === key);
  if (!target || target.getAttribute("aria-disabled") === "true") return;
  event.preventDefault();
  target.click();
});

// What folds out takes the focus to its first field.
document.addEventListener("toggle", (event) => {
  const fold = event.target;
  if (!(fold instanceof HTMLDetailsElement) || !fold.open) return;
  for (const other of document.querySelectorAll("details[data-one][open]")) {
    if (other !== fold && fold.hasAttribute("data-one")) other.open = false;
  }
  fold.querySelector("[data-first]")?.focus();
}, true);

// A button that opens a fold does so, and the fold takes the focus.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  const fold = opener && document.getElementById(opener.dataset.opens);
  if (!fold) return;
  event.preventDefault();
  if (fold.open) fold.querySelector("[data-first]")?.focus();
  else fold.open = true;
});

// What was typed for an act is done with once the act is: in the fields that are named so, before they are filled again.
const forget = (of) => {
  for (const name of Object.keys(sessionStorage)) {
    if (name.startsWith("kept ") && name.includes(of)) sessionStorage.removeItem(name);
  }
};
const acts = document.querySelectorAll("[data-done]");
for (const act of acts) if (act.dataset.done) forget(act.dataset.done);

// What is typed into a long field is kept by this window until it is sent: a session may end meanwhile.
for (const field of document.querySelectorAll("[data-keep]")) {
  const name = `kept ${field.dataset.keep}`;
  if (!field.value) field.value = sessionStorage.getItem(name) ?? "";
  field.addEventListener("input", () => sessionStorage.setItem(name, field.value));
}

// Without a value it is an act whose fields are not named: what they were filled with stays in them.
if ([...acts].some((act) => !act.dataset.done)) forget("");

// A sheet is printed.
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});

// A button that is not to be used yet says why, and does nothing.
document.addEventListener("click", (event) => {
  if (event.target.closest("[aria-disabled=true]")) event.preventDefault();
});

// The place where reading begins: what is wrong first, else what the address asked for.
document.querySelector("[data-focus]")?.focus();
