// Behaviour of the counter's pages. They work without it; with it, what is typed is kept meanwhile, a file that is too
// large is told of before it is sent, and the camera writes into the same field as a file does.
"use strict";

// What a field shows before anything is typed: a list of choices has no `defaultValue` of its own.
const shownBy = (field) => field instanceof HTMLSelectElement
  ? ([...field.options].find((option) => option.defaultSelected) ?? field.options[0])?.value ?? ""
  : field.defaultValue;
const shows = (field, text) => {
  if (field instanceof HTMLSelectElement) for (const option of field.options) option.defaultSelected = option.value === text;
  else field.defaultValue = text;
};

// What is typed is kept when the field is left: a form that carries `data-autosave` names the place that says so.
for (const form of document.querySelectorAll("form[data-autosave]")) {
  const says = document.getElementById(form.dataset.autosave);
  const fields = [...form.querySelectorAll("[data-keep]:not([readonly])")];
  const name = (field) => `kept ${field.dataset.keep}`;
  const before = (field) => `${name(field)} before`;
  const typed = () => fields.some((field) => field.value !== shownBy(field));
  const keepNow = async () => {
    if (fields.length === 0) return false;
    const sent = new URLSearchParams(new FormData(form));
    const seen = form.querySelector("input[data-seen]") ?? document.querySelector("input[name=seen]");
    if (seen) sent.set(seen.name, seen.value);
    try {
      const said = await fetch(form.action, { method: "POST", body: sent, headers: { "hx-request": "true" } });
      if (said.status !== 200) throw new Error(said.status);
      says.textContent = await said.text();
      const now = said.headers.get("draft-seen");
      if (seen && now) seen.value = now;
    } catch {
      says.textContent = form.dataset.lost;
      return false;
    }
    for (const field of fields) {
      const kept = sent.get(field.name) ?? "";
      // A choice is made before it is shown anew: else the browser would show the one that is the first again.
      const now = field.value;
      shows(field, kept);
      field.value = now;
      if (now === kept) {
        sessionStorage.removeItem(name(field));
        sessionStorage.removeItem(before(field));
      } else if (sessionStorage.getItem(before(field)) !== null) {
        // It was typed on meanwhile, over what is kept now.
        sessionStorage.setItem(before(field), kept);
      }
    }
    return true;
  };
  // One after the other: what was typed last is kept last.
  let keeping = Promise.resolve(true);
  let underWay = 0;
  const keep = () => {
    underWay++;
    keeping = keeping.then(keepNow).finally(() => underWay--);
    return keeping;
  };
  form.addEventListener("change", keep);
  // Another form about the same application waits until what was typed last is kept: else what is sent would lack it.
  document.addEventListener("submit", (event) => {
    const other = event.target;
    // The form itself waits for what is on its way: it names what was kept last.
    if (other === form && underWay > 0) {
      event.preventDefault();
      event.stopImmediatePropagation();
      keeping.then(() => other.requestSubmit(event.submitter));
      return;
    }
    if (other === form || !typed() || !other.action.startsWith(form.action.replace(/[^/]*$/, ""))) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    keeping = keeping.then(() => !typed() || keepNow());
    keeping.then((kept) => {
      if (kept) other.requestSubmit(event.submitter);
      else fields[0].focus();
    });
  }, true);
  for (const field of fields) {
    const kept = sessionStorage.getItem(name(field));
    const unchanged = (sessionStorage.getItem(before(field)) ?? shownBy(field)) === shownBy(field);
    field.addEventListener("input", () => {
      if (sessionStorage.getItem(before(field)) === null) sessionStorage.setItem(before(field), shownBy(field));
    });
    if (kept === null || kept === shownBy(field)) continue;
    // What this window still has was never kept by the service: the session ended while it was typed.
    if (unchanged) {
      field.value = kept;
      keep();
      continue;
    }
    // Meanwhile something else was kept: that stands, and what was typed here is shown beside it.
    field.value = shownBy(field);
    says.textContent = (form.dataset.before ?? "{text}").replace("{text}", () => kept);
  }
}

// A file that is too large is not sent.
for (const field of document.querySelectorAll("input[type=file][data-most]")) {
  const says = document.getElementById(field.dataset.large);
  const judge = () => {
    const large = [...field.files].some((file) => file.size > Number(field.dataset.most));
    says.hidden = !large;
    field.setAttribute("aria-describedby", large ? `${says.id} photograph-hint` : "photograph-hint");
    if (large) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
    return large;
  };
  field.addEventListener("change", judge);
  field.form.addEventListener("submit", (event) => {
    if (!judge()) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    field.focus();
  }, true);
}

// The camera of the counter, where the browser has one: what it takes goes into the field of the file.
for (const opener of document.querySelectorAll("[data-camera]")) {
  if (!navigator.mediaDevices?.getUserMedia) continue;
  const field = document.getElementById(opener.dataset.camera);
  const place = document.getElementById("camera");
  const says = document.getElementById("camera-says");
  const video = place.querySelector("video");
  opener.hidden = false;
  opener.addEventListener("click", async () => {
    says.textContent = "";
    try {
      const size = { width: { ideal: 1280 }, height: { ideal: 960 } };
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: size, audio: false });
      await video.play();
      place.hidden = false;
      place.querySelector("[data-shutter]").focus();
    } catch {
      says.textContent = place.dataset.refused;
    }
  });
  place.querySelector("[data-shutter]").addEventListener("click", async () => {
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    canvas.getContext("2d").drawImage(video, 0, 0);
    const taken = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
    const files = new DataTransfer();
    files.items.add(new File([taken], "camera.jpg", { type: "image/jpeg" }));
    field.files = files.files;
    for (const track of video.srcObject.getTracks()) track.stop();
    place.hidden = true;
    field.form.requestSubmit();
  });
}
