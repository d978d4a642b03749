// The day of an officer who looks people up and hands cards over, in a real browser. Called by run.mjs with its tools.
export async function people({ page, to, text, must, seen, judged, measured, out, signsIn, signsOut }, given) {
  await signsIn(given.username, given.password);

  // One box: a name without marks, then the file. What was typed survives a page that is loaded again.
  await seen("persons", "/pages/persons");
  await to("/pages/persons");
  must(await page.evaluate(() => document.activeElement.id) === "who", "persons", "the box has not the focus");
  await page.keyboard.type("chu manh trinh");
  await page.reload();
  must(await page.inputValue("#who") === "chu manh trinh", "persons", "what was typed is lost when the page is loaded again");
  await page.locator("details.fold summary").first().click();
  await page.check("[name=beginning]");
  await page.fill("#birth", "1966");
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
  must((await page.locator("#found").innerText()).includes("12"), "persons", `does not tell how many were found: ${await text()}`);
  must(await page.evaluate(() => document.activeElement.id) === "found", "persons", "what was found has not the focus");
  must(await page.evaluate(() => Object.keys(sessionStorage).length) === 0, "persons", "what was typed is kept after the answer");
  for (const width of [1280, 768, 390, 320]) {
    await page.setViewportSize({ width, height: 900 });
    await measured("persons-found", String(width));
    await page.screenshot({ path: `${out}/persons-found-${width}-vi-light.png`, fullPage: true });
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  await judged("persons-found", "1280 vi light");
  await page.fill("#who", "12345");
  await Promise.all([page.waitForEvent("load"), page.locator("form[role=search] button[type=submit]").click()]);
  must((await page.locator("#who-err").innerText()).includes("có 5 chữ số"), "persons", "a number that is too short is not told");
  await judged("persons-wrong", "1280 vi light");
  await page.screenshot({ path: `${out}/persons-wrong-1280-vi-light.png`, fullPage: true });
  await page.fill("#who", "khong co ai ten nay");
  await page.fill("#birth", "");
  await Promise.all([page.waitForEvent("load"), page.locator("form[role=search] button[type=submit]").click()]);
  must((await text()).includes("Không tìm thấy ai"), "persons", "nobody found is not told");
  await page.screenshot({ path: `${out}/persons-none-1280-vi-light.png`, fullPage: true });

  await to("/pages/persons");
  await page.fill("#who", given.number.replace(/(...)/g, "$1 ").trim());
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
  await Promise.all([page.waitForURL(`**/pages/persons/${given.person}`), page.locator(".tbl th a").first().click()]);
  for (const words of ["Trịnh Thị Ẩm", "08/05/1978", "Thẻ mới đang chờ", "Lần xem của bạn vừa được ghi", "kết quả tra cứu"]) must((await text()).includes(words), "person", `does not show ${words}`);
  await seen("person", `/pages/persons/${given.person}`);
  await seen("person-long", `/pages/persons/${given.long}`);
  must((await page.locator("h1").innerText()).toLowerCase() === given.long_name.toLowerCase(), "person-long", "the name is not whole");
  await seen("readings", `/pages/persons/${given.person}/readings`);
  await seen("who-looked", `/pages/persons/${given.person}/looks`);
  await seen("readings-form", "/pages/readings");

  // The slip is scanned: a scanner types, and presses Enter.
  await seen("hand-over", "/pages/hand-over");
  await to("/pages/hand-over");
  await page.keyboard.type("AAAAA00009");
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
  must((await page.locator("#note").innerText()).includes("Không có thẻ nào"), "hand-over", "an unknown slip is not told");
  await judged("hand-over-unknown", "1280 vi light");
  await page.screenshot({ path: `${out}/hand-over-unknown-1280-vi-light.png`, fullPage: true });
  await page.fill("#sought", given.slip);
  await Promise.all([page.waitForEvent("load"), page.locator("form[role=search] button[type=submit]").click()]);
  must(await page.inputValue("#slip") === given.slip, "hand-over", "the slip that was scanned is asked for again");
  const portrait = await page.locator(".face img").evaluate((image) => [image.complete, image.naturalWidth]);
  must(portrait[0] && portrait[1] > 100, "hand-over", `the portrait is not shown: ${portrait}`);
  await seen("hand-over-file", `/pages/hand-over/${given.application}`);

  // Not this person: why, and the card waits on.
  await to(`/pages/hand-over/${given.application}`);
  await page.locator("[data-opens=refuse]").click();
  await page.waitForSelector("#refuse[open]");
  await page.keyboard.type("Người đến không phải người trong ảnh.");
  await page.reload();
  must(await page.inputValue("#refusal") === "Người đến không phải người trong ảnh.", "hand-over", "the reason is lost when the page is loaded again");
  await page.locator("[data-opens=refuse]").click();
  await page.screenshot({ path: `${out}/hand-over-refusal-1280-vi-light.png`, fullPage: true });
  await judged("hand-over-refusal", "1280 vi light");
  await Promise.all([page.waitForURL("**done=refused**"), page.locator("#refuse button[type=submit]").click()]);

  // The holder comes: a wrong slip first, then the right one.
  await to(`/pages/hand-over/${given.application}`);
  must((await text()).includes("1 lần không được trao"), "hand-over", "the refusal before is not told");
  await page.check("[value=face-compared]");
  await page.check("[value=chip-trusted]");
  await page.check("[value=collected]");
  await page.fill("#envelope", "TB-0892");
  await page.fill("#slip", "AAAAA00009");
  await Promise.all([page.waitForEvent("load"), page.locator(".decisions button[type=submit]").click()]);
  must((await page.locator("[role=alert]").innerText()).includes("không phải của thẻ này"), "hand-over", "a wrong slip is not told");
  must(await page.inputValue("#envelope") === "TB-0892" && await page.isChecked("[value=collected]"), "hand-over", "what was typed is lost");
  await page.screenshot({ path: `${out}/hand-over-wrong-1280-vi-light.png`, fullPage: true });
  await page.fill("#slip", given.slip.toLowerCase());
  await Promise.all([page.waitForURL("**done=handed-over**"), page.locator(".decisions button[type=submit]").click()]);
  must((await text()).includes("Thẻ đã có hiệu lực"), "hand-over", "what was done is not told");
  await seen("receipt", `/pages/hand-over/${given.application}/receipt`);
  await page.emulateMedia({ media: "print" });
  await page.screenshot({ path: `${out}/receipt-print-vi.png`, fullPage: true });
  await page.emulateMedia({ media: "screen" });
  await seen("hand-over-done", `/pages/hand-over/${given.application}`);
  await signsOut();
}
