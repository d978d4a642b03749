// Ten prints at the counter, in a real browser: a folder of a scanner with a file that cannot be used, a finger without an image, the look at
// one, and what the second officer sees of it. Called by run.mjs with its tools.
import { readdirSync } from "node:fs";

export async function walk({ page, given, to, text, must, judged, measured, seen, signsIn, signsOut, out }) {
  const path = `/pages/counter/applications/${given.application}`;
  const shot = (name) => page.screenshot({ path: `${out}/${name}.png`, fullPage: true });
  const files = readdirSync(given.scanned).sort().map((name) => `${given.scanned}/${name}`);
  const right = files.filter((name) => name.endsWith(".fir"));
  await signsIn(given.username);

  // From the application to the card, which is empty.
  await to(path);
  await Promise.all([page.waitForURL(`**${path}/prints`), page.locator(`a[href$="${path}/prints"]`).click()]);
  must(await page.evaluate(() => document.activeElement.id) === "title", "prints", "the title has not the focus");
  await seen("prints-empty", `${path}/prints`);

  // A file that cannot be used is named, and all others are kept.
  await to(`${path}/prints`);
  await page.setInputFiles("#files", [...right.slice(0, 8), files.find((name) => name.endsWith(".wsq"))]);
  await Promise.all([page.waitForEvent("load"), page.locator("section[aria-labelledby=upload] .btn-1").click()]);
  const alert = await page.locator("[role=alert]").innerText();
  must(alert.includes("wrong.wsq") && alert.includes("WSQ") && alert.includes("Đã lưu 8 ảnh đúng"), "prints-wrong", alert);
  must(await page.evaluate(() => document.activeElement.getAttribute("role")) === "alert", "prints-wrong", "what is wrong has not the focus");
  await judged("prints-wrong", "1280");
  await shot("prints-wrong-1280-vi-light");
  for (const width of [768, 390, 320]) {
    await page.setViewportSize({ width, height: 900 });
    await measured("prints-wrong", String(width));
    await shot(`prints-wrong-${width}-vi-light`);
  }
  await page.setViewportSize({ width: 1280, height: 900 });

  // The rest; then, by keyboard alone, why there is no image of the finger that is left.
  await page.setInputFiles("#files", [...right.slice(8, 9), ...right.slice(10)]);
  await Promise.all([page.waitForURL("**done=taken"), page.locator("section[aria-labelledby=upload] .btn-1").click()]);
  must((await text()).includes("Còn 1 ngón"), "prints", await text());
  must(await page.inputValue("#finger") === "left-little", "prints", "the finger that is left is not chosen");
  await page.focus("#because");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Tab");
  await Promise.all([page.waitForURL("**done=missing"), page.keyboard.press("Enter")]);
  must((await text()).includes("Đủ mười ngón") && (await text()).includes("cụt, không có ngón"), "prints", await text());
  must(await page.locator("img").count() === 0, "prints", "the card shows images");
  await seen("prints", `${path}/prints`);

  // One image, alone.
  await to(`${path}/prints`);
  await Promise.all([page.waitForURL("**/prints/right-thumb"), page.locator("a[href$='/prints/right-thumb']").click()]);
  const [whole, width] = await page.locator("img.print").evaluate((image) => [image.complete, image.naturalWidth]);
  must(whole && width === 400, "print", `the image is not shown: ${width}`);
  await seen("print", `${path}/prints/right-thumb`);
  await seen("print-dossier", path);
  await to(path);
  await Promise.all([page.waitForURL("**done=sent"), page.locator("form[action$='/capture'] .btn-1").click()]);
  await signsOut();

  // The second officer has the states, and the images one by one.
  await signsIn(given.approver);
  await to(`/pages/approvals/${given.application}`);
  for (const words of ["Đủ mười ngón", "cụt, không có ngón"]) must((await text()).includes(words), "prints-file", `does not show ${words}`);
  await judged("prints-file", "1280");
  for (const width of [1280, 768, 390, 320]) {
    await page.setViewportSize({ width, height: 900 });
    await measured("prints-file", String(width));
    await shot(`prints-file-${width}-vi-light`);
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  await Promise.all([page.waitForURL("**/prints/left-thumb"), page.locator("a[href$='/prints/left-thumb']").click()]);
  must(await page.locator("img.print").count() === 1, "prints-file", "the image is not shown");
  await signsOut();
}
