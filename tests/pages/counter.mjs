// The counter in a real browser: an officer finds a person, compares, opens an application, takes what is to be taken, by file and by camera, and sends it;
// with a session that ends while the officer types, and a file that is too large. `run.mjs` calls it with what it has: page, looks and words about faults.
export async function counter({ page, context, given, to, text, must, judged, seen, out }) {
  const { username, number, person, name, large, photograph } = given.counter;
  await to("/pages/counter");
  await page.fill("#username", username);
  await page.fill("#password", given.password);
  await Promise.all([page.waitForURL((url) => url.pathname === "/pages/counter"), page.keyboard.press("Enter")]);
  must(await page.evaluate(() => document.activeElement.id) === "number", "counter", "the number has not the focus");
  await seen("counter", "/pages/counter");

  // Found by keyboard alone, and nothing of it stands in the address.
  await to("/pages/counter");
  await page.keyboard.type(number);
  await Promise.all([page.waitForURL("**/pages/counter/search"), page.keyboard.press("Enter")]);
  must((await text()).includes("Tìm thấy 1 người"), "search", await text());
  await judged("counter-found", "1280");
  await page.screenshot({ path: `${out}/counter-found-1280-vi-light.png`, fullPage: true });
  await Promise.all([page.waitForURL(`**/pages/counter/persons/${person}`), page.locator(`a[href$="${person}"]`).click()]);

  // What differs is loud, what is the same is quiet.
  await page.fill("#paper-name", `${name} Ơ`);
  await page.fill("#number", number);
  await Promise.all([page.waitForEvent("load"), page.locator("section[aria-labelledby=brought] button").click()]);
  must(await page.locator("tr.diff").count() === 1 && await page.locator("tr.same").count() === 1, "compare", "says not what differs");
  await judged("counter-compare", "1280");
  await page.screenshot({ path: `${out}/counter-compare-1280-vi-light.png`, fullPage: true });
  await seen("counter-person", `/pages/counter/persons/${person}`);
  await to(`/pages/counter/persons/${person}`);
  await page.selectOption("#kind", "first");
  await Promise.all([page.waitForURL("**/pages/counter/applications/*"), page.locator("section[aria-labelledby=apply] button[type=submit]").click()]);
  const path = new URL(page.url()).pathname;
  await seen("counter-begun", path);
  await to(path);
  must(await page.locator("#missing li").count() === 3, "begun", "says not what is missing");
  await page.locator("form[action$='/capture'] .btn-1").click({ force: true });
  must(page.url().endsWith(path), "begun", "an unfinished application went out");

  // What is typed is kept when the field is left.
  await page.fill("#features", "Nốt ruồi cách đuôi mắt phải 1 cm");
  await page.locator("#features").blur();
  await page.waitForFunction(() => document.querySelector("#saved").textContent.includes("lưu lúc"));
  await page.reload();
  must(await page.inputValue("#features") === "Nốt ruồi cách đuôi mắt phải 1 cm", "features", "are not kept");

  // A session that ends while the officer types: the window keeps the words, and the page that is open again keeps them too.
  const cookies = await context.cookies();
  await context.clearCookies({ name: "__Host-session" });
  await page.fill("#features", "Nốt ruồi cách đuôi mắt phải 2 cm");
  await page.locator("#features").blur();
  await page.waitForFunction(() => document.querySelector("#saved").textContent.includes("Chưa lưu được"));
  await context.addCookies(cookies);
  await to(path);
  await page.waitForFunction(() => document.querySelector("#saved").textContent.includes("lưu lúc"));
  must(await page.inputValue("#features") === "Nốt ruồi cách đuôi mắt phải 2 cm", "features", "are lost with the session");
  must(await page.evaluate(() => Object.keys(sessionStorage).length) === 0, "features", "stay in the window after they were kept");

  // Another window kept something else meanwhile: that stands, and what was typed here is shown beside it.
  await context.clearCookies({ name: "__Host-session" });
  await page.fill("#features", "Sẹo ở cằm, gõ ở cửa sổ này");
  await page.locator("#features").blur();
  await page.waitForFunction(() => document.querySelector("#saved").textContent.includes("Chưa lưu được"));
  const token = await page.inputValue("form[action$='/features'] [name=token]");
  await context.addCookies(cookies);
  const elsewhere = { form: { token, features: "Sẹo ở trán" }, headers: { "sec-fetch-site": "same-origin" }, maxRedirects: 0 };
  must((await page.request.post(`${given.address}${path}/features`, elsewhere)).status() === 303, "features", "are not kept by another window");
  await to(path);
  must(await page.inputValue("#features") === "Sẹo ở trán", "features", "of another window are overwritten without a word");
  must((await page.locator("#saved").innerText()).includes("Sẹo ở cằm, gõ ở cửa sổ này"), "features", "that were typed here are lost");
  await judged("counter-elsewhere", "1280");
  await page.screenshot({ path: `${out}/counter-elsewhere-1280-vi-light.png`, fullPage: true });
  await page.fill("#features", "Nốt ruồi cách đuôi mắt phải 2 cm");
  await page.locator("#features").blur();
  await page.waitForFunction(() => document.querySelector("#saved").textContent.includes("lưu lúc"));
  must(await page.evaluate(() => Object.keys(sessionStorage).length) === 0, "features", "stay in the window after they were kept");

  // A file that is too large is told of at its field, and nothing is sent; what is no JPEG is told by the service.
  await page.setInputFiles("#photograph", large);
  await page.locator("form[action$='/portrait'] button[type=submit]").click();
  must(await page.locator("#photograph-large").isVisible() && page.url().endsWith(path), "portrait", "a file that is too large is not told of");
  await judged("counter-large", "1280");
  await page.setInputFiles("#photograph", { name: "portrait.jpg", mimeType: "image/jpeg", buffer: Buffer.from("\x89PNG\r\n\x1a\n") });
  await Promise.all([page.waitForEvent("load"), page.locator("form[action$='/portrait'] button[type=submit]").click()]);
  must((await page.locator("[role=alert]").innerText()).includes("không phải ảnh JPEG"), "portrait", "a PNG is not told of");
  must(await page.inputValue("#features") === "Nốt ruồi cách đuôi mắt phải 2 cm", "portrait", "a wrong file takes the features with it");
  await judged("counter-wrong", "1280");
  await page.screenshot({ path: `${out}/counter-wrong-1280-vi-light.png`, fullPage: true });
  await to(path);
  await page.setInputFiles("#photograph", photograph);
  await Promise.all([page.waitForURL("**done=portrait"), page.locator("form[action$='/portrait'] button[type=submit]").click()]);
  const shown = await page.locator(".face img").evaluate((image) => [image.naturalWidth, image.naturalHeight]);
  must(shown[0] === 420 && shown[1] === 560, "portrait", `is not shown: ${shown}`);
  must(await page.locator(".qual li").count() === 4, "portrait", "what was looked at is not told");

  // The camera writes into the same field: its test picture has no face, so the officer has to answer for it.
  await page.locator("[data-camera]").click();
  await page.waitForSelector("#camera:not([hidden])");
  await page.waitForFunction(() => document.querySelector("#camera video").videoWidth > 0);
  await Promise.all([page.waitForURL("**done=portrait"), page.waitForEvent("load"), page.locator("[data-shutter]").click()]);
  must(await page.locator("[name=answers]").count() === 1, "camera", "a picture without a face asks for nothing");
  await page.setInputFiles("#photograph", photograph);
  await Promise.all([page.waitForEvent("load"), page.locator("form[action$='/portrait'] button[type=submit]").click()]);
  must(await page.locator("[name=answers]").count() === 0, "camera", "a better picture does not take its place");

  // The citizen's word, the papers, and the way on.
  await Promise.all([page.waitForURL("**done=word"), page.locator("button[name=said][value=agrees]").click()]);
  await seen("counter-ready", path);
  for (const paper of ["cc02", "slip"]) {
    const said = await page.request.get(`${given.address}${path}/${paper}`);
    must(said.status() === 200 && (await said.body()).subarray(0, 5).toString() === "%PDF-", paper, "is no PDF");
  }
  // What was typed last goes out too, though the field was not left before the button was pressed.
  await to(path);
  await page.fill("#features", "Nốt ruồi cách đuôi mắt phải 3 cm");
  await Promise.all([page.waitForURL("**done=sent"), page.locator("form[action$='/capture'] .btn-1").click()]);
  must(await page.inputValue("#features") === "Nốt ruồi cách đuôi mắt phải 3 cm", "sent", "what was typed last did not go out");
  must(await page.locator("#saved").innerText() === "", "sent", "what was typed last is a draft that did not go out");
  must((await text()).includes("Đã gửi hồ sơ đi duyệt"), "sent", "is not told");
  await page.screenshot({ path: `${out}/counter-sent-1280-vi-light.png`, fullPage: true });
  await Promise.all([page.waitForURL("**/pages/sign-in?left=yes"), page.locator("form[action='/pages/sign-out'] button").click()]);
}
