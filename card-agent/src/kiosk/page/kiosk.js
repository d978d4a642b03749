// The page of the kiosk: shows what the program on this machine sends, and sends what is typed, scanned and pressed.
// It decides nothing, keeps nothing, and knows no text of a card but what stands in the page.
"use strict";

const policy = window.trustedTypes
  ? window.trustedTypes.createPolicy("kiosk", { createHTML: (html) => html })
  : { createHTML: (html) => html };
const part = (id) => document.getElementById(id);
const VERDICTS = ["trusted", "refused", "unknown"];

// What each part shows, so that a part that does not change keeps its focus and what is typed in it.
const shown = {};

function show(screen) {
  const before = document.body.dataset.kind;
  const isVerdict = VERDICTS.includes(screen.kind);
  part("band").setAttribute("role", isVerdict ? "alert" : "status");
  document.title = screen.title;
  document.body.dataset.kind = screen.kind;
  const changed = ["band", "main", "foot"].filter((name) => shown[name] !== screen[name]);
  for (const name of changed) {
    const holder = part(name);
    const pressed = holder.contains(document.activeElement) ? document.activeElement.dataset.act : undefined;
    holder.innerHTML = policy.createHTML(screen[name]);
    shown[name] = screen[name];
    if (pressed) holder.querySelector(`[data-act="${pressed}"]`)?.focus();
  }
  if (changed.includes("main")) window.scrollTo(0, 0);
  const asks = part("main").querySelector("[autofocus]");
  if (asks) {
    asks.focus();
  } else if (part("key")) {
    part("key").focus({ preventScroll: true });
  } else if (isVerdict && before !== screen.kind) {
    part("band").focus();
  }
}

const events = new EventSource(document.body.dataset.events);
events.addEventListener("message", (event) => {
  part("lost").hidden = true;
  show(JSON.parse(event.data));
});
events.addEventListener("error", () => {
  // What was shown may no longer hold, and is of a person.
  part("lost").hidden = false;
  for (const name of ["main", "foot"]) {
    part(name).replaceChildren();
    delete shown[name];
  }
  document.body.dataset.kind = "lost";
});

function send(what, text) {
  fetch(what, { method: "POST", body: text, redirect: "error" }).catch(() => {});
}

// Lines of an MRZ that a scanner types one after the other, each with Enter.
let lines = [];
let forget = 0;

// Whether a line is the beginning of an MRZ of three lines of 30, two of 36 or two of 44 letters.
function isWaitingForMore(text) {
  const line = text.trim();
  if (!/^[A-Z0-9<]+$/i.test(line) || !/[A-Z]/i.test(lines[0] ?? line)) return false;
  const wanted = { 30: 3, 36: 2, 44: 2 }[line.length];
  return line.length === (lines[0] ?? line).length && lines.length + 1 < wanted;
}

function typed() {
  const field = part("key");
  const text = field.value;
  field.value = "";
  window.clearTimeout(forget);
  const says = part("key-line");
  if (isWaitingForMore(text)) {
    lines.push(text.trim());
    says.textContent = says.dataset.words.replaceAll("{0}", String(lines.length));
    forget = window.setTimeout(() => { lines = []; says.textContent = ""; }, 10_000);
    return;
  }
  says.textContent = "";
  send("key", [...lines, text].join("\n"));
  lines = [];
}

document.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.target.id === "key-form") typed();
});

document.addEventListener("click", (event) => {
  const pressed = event.target.closest("button");
  if (!pressed) return;
  if (pressed.dataset.act) {
    send(pressed.dataset.act);
  } else if (pressed.dataset.digit) {
    part("key").value += pressed.dataset.digit;
  } else if ("erase" in pressed.dataset) {
    part("key").value = part("key").value.slice(0, -1);
  }
});

// A scanner types wherever the focus is: what it types goes into the field.
document.addEventListener("keydown", (event) => {
  const field = part("key");
  if (field && event.key.length === 1 && !event.ctrlKey && !event.altKey && !event.metaKey && event.target !== field
    && !(event.key === " " && event.target.closest?.("button"))) {
    field.focus();
  }
});

// A touch or a key says that someone is there; once in five seconds is enough.
let last = 0;
for (const kind of ["pointerdown", "keydown"]) {
  document.addEventListener(kind, () => {
    const now = performance.now();
    if (VERDICTS.includes(document.body.dataset.kind) && now - last > 5_000) {
      last = now;
      send("here");
    }
  });
}
