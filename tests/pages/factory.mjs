// The factory and the figures, in a real browser. Called by run.mjs with its tools.
export async function factory({ page, context, to, text, must, seen, judged, measured, out, signsIn, signsOut, given: { password } }, given) {
  const shot = (name) => page.screenshot({ path: `${out}/${name}-1280-vi-light.png`, fullPage: true });
  const send = (selector) => Promise.all([page.waitForEvent("load"), page.locator(selector).click()]);
  await signsIn(given.username, password);

  // Every state of a factory at work: a batch, a station that writes, one without blanks and with a long name, a failure with its remedy.
  await to("/pages/factory");
  for (const words of ["đang chạy", "Trạm 04", "đang ghi", "hết phôi", "chip-refused", "Kho phôi", "khớp sổ"]) must((await text()).includes(words), "factory", `does not show ${words}`);
  await seen("factory", "/pages/factory");
  await seen("batch", `/pages/factory/batches/${given.batch}`);

  // It follows what happens by itself: another officer pauses the batch, and what is typed here stays.
  await to("/pages/factory");
  await page.locator("#h-draft").click();
  await page.fill("#most", "17");
  const other = await context.browser().newContext({ ignoreHTTPSErrors: true, locale: "vi-VN" });
  const second = await other.newPage();
  const there = (path) => second.goto(page.url().split("/pages")[0] + path, { waitUntil: "load" });
  await there("/pages/sign-in");
  await second.fill("#username", given.second);
  await second.fill("#password", password);
  await Promise.all([second.waitForURL("**/pages"), second.keyboard.press("Enter")]);
  await there(`/pages/factory/batches/${given.batch}`);
  await second.locator("#pause summary").click();
  await second.fill("#pause-reason", "mực in nhòe");
  await Promise.all([second.waitForURL("**done=paused"), second.locator("#pause button[type=submit]").click()]);
  await page.waitForFunction(() => document.querySelector("#floor").innerText.includes("mực in nhòe"), undefined, { timeout: 60_000 });
  must(await page.inputValue("#most") === "17", "factory", "what was typed is lost when the page follows");
  await judged("factory-paused", "1280 vi light");
  await shot("factory-paused");

  // A draft with nonsense in it, then one; only another officer can release it.
  await page.fill("#most", "0");
  await send("form[action='/pages/factory/batches'] button[type=submit]");
  must((await page.locator("#most-err").innerText()).includes("từ 1 đến 1.000"), "draft", "a wrong number is not told");
  must(await page.inputValue("#most") === "0", "draft", "what was typed is lost");
  await judged("draft-wrong", "1280 vi light");
  await shot("draft-wrong");
  await page.fill("#most", "5");
  await send("form[action='/pages/factory/batches'] button[type=submit]");
  must((await text()).includes("Đã lập mẻ"), "draft", "is not told");
  const draft = await page.locator("article", { hasText: "chờ người thứ hai" }).locator("a").first().getAttribute("href");
  await seen("batch-draft", draft);
  must((await text()).includes("Bạn đã lập mẻ này"), "draft", "does not say who releases it");
  await second.goto(page.url().split("/pages")[0] + draft, { waitUntil: "load" });
  await Promise.all([second.waitForURL("**done=released"), second.locator("form[action$='/release'] button").click()]);
  must((await second.locator("main").innerText()).includes("Mẻ đã được cho chạy"), "release", "is not told");
  await second.screenshot({ path: `${out}/batch-released-1280-vi-light.png`, fullPage: true });

  // The end of the session is told to the page that follows.
  const follows = page.waitForResponse((answer) => answer.url().includes("/pages/factory/events") && answer.status() === 200);
  await to("/pages/factory");
  await follows;
  await other.close();
  const ended = await context.newPage();
  await ended.goto(page.url(), { waitUntil: "load" });
  await Promise.all([ended.waitForURL("**left=yes"), ended.locator("form[action='/pages/sign-out'] button").click()]);
  await ended.close();
  await page.waitForFunction(() => document.querySelector("#floor").innerText.includes("Phiên làm việc đã kết thúc"), undefined, { timeout: 60_000 });
  let again = 0;
  page.on("request", (request) => { if (request.url().includes("/pages/factory/events")) again++; });
  await page.waitForTimeout(5_000);
  must(again <= 1, "factory", `a page whose session ended asks ${again} times in five seconds`);
  await judged("factory-over", "1280 vi light");
  await shot("factory-over");

  // The figures of an office, and of the country with its map.
  await signsIn(given.username, password);
  await seen("dashboard-office", "/pages/dashboard");
  await signsOut();
  await signsIn(given.chief, password);
  await seen("dashboard", "/pages/dashboard");
  await to("/pages/dashboard");
  must(await page.locator(".tile").count() === 65, "dashboard", "not every province has a tile");
  const small = await page.evaluate(() => [...document.querySelectorAll(".tile text")].filter((label) => {
    const box = label.getBoundingClientRect(), tile = label.parentElement.querySelector("rect").getBoundingClientRect();
    return box.height < 12 || box.left < tile.left || box.right > tile.right;
  }).map((label) => label.textContent));
  must(small.length === 0, "dashboard", `names that cannot be read: ${small}`);
  await page.setViewportSize({ width: 390, height: 900 });
  must((await page.locator(".tile text").first().evaluate((label) => label.getBoundingClientRect().height)) >= 12, "dashboard", "names are too small on a small screen");
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.selectOption("#measure", "open");
  await send("form[action='/pages/dashboard'] button");
  must(page.url().includes("measure=open"), "dashboard", "the measure is not chosen");
  await judged("dashboard-open", "1280 vi light");
  // By keyboard alone: a tile is a way to its province.
  await page.locator(".tile").first().focus();
  await page.screenshot({ path: `${out}/dashboard-focus-1280-vi-light.png` });
  await Promise.all([page.waitForURL("**province=002"), page.keyboard.press("Enter")]);
  must((await page.locator("h1").innerText()) === "Hà Giang", "dashboard", "the province is not opened");
  await seen("dashboard-empty", "/pages/dashboard?province=002");
  await to("/pages/dashboard?office=o-6");
  await page.locator("details.fold summary").first().click();
  await judged("dashboard-table", "1280 vi light");
  await shot("dashboard-table");
  await seen("factory-empty", "/pages/factory");
  await signsOut();
}
