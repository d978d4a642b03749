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

// What was typed for an act is done with once the act is: in the fields whose names have the word, or, where the page
// names none, in those of the form that was sent. What was typed for anything else stays.
const keptBy = (field) => `kept ${field.dataset.keep}`;
const SENT = "sent";
document.addEventListener("submit", (event) => {
  const form = event.target;
  const names = [...form.querySelectorAll("[data-keep]")].map(keptBy);
  sessionStorage.setItem(SENT, JSON.stringify({ names, about: form.dataset.about ?? "" }));
});
const sent = JSON.parse(sessionStorage.getItem(SENT) ?? '{"names":[],"about":""}');
sessionStorage.removeItem(SENT);
const forget = (fits) => {
  for (const name of Object.keys(sessionStorage)) {
    if (name.startsWith("kept ") && fits(name)) sessionStorage.removeItem(name);
  }
};
for (const { dataset: { done } } of document.querySelectorAll("[data-done]")) {
  if (done) forget((name) => name.includes(done));
  else forget((name) => sent.names.includes(name.replace(/ before$/, "")) || sent.about !== "" && name.startsWith(`kept ${sent.about}`));
}

// What is typed into a field is kept by this window until it is sent: a session may end meanwhile. It comes back where
// the field shows what it showed then; where it shows something else, that stands, and what was typed is told beside it.
for (const field of document.querySelectorAll("[data-keep]")) {
  const [name, before] = [keptBy(field), `${keptBy(field)} before`];
  const shown = field instanceof HTMLSelectElement
    ? ([...field.options].find((option) => option.defaultSelected) ?? field.options[0])?.value ?? ""
    : field.defaultValue;
  field.addEventListener("input", () => {
    if (sessionStorage.getItem(before) === null) sessionStorage.setItem(before, shown);
    sessionStorage.setItem(name, field.value);
  });
  const kept = sessionStorage.getItem(name);
  if (kept === null || kept.trim() === shown.trim() || field.form?.dataset.autosave) continue;
  if ((sessionStorage.getItem(before) ?? shown) === shown) {
    field.value = kept;
    continue;
  }
  // The answer to what was sent a moment ago shows what arrived.
  if (sent.names.includes(name)) continue;
  const says = document.createElement("span");
  says.className = "hint";
  says.id = `${field.id}-kept`;
  says.textContent = document.body.dataset.before.replace("{text}", () => kept);
  field.after(says);
  field.setAttribute("aria-describedby", `${field.getAttribute("aria-describedby") ?? ""} ${says.id}`.trim());
}

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
