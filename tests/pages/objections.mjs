// A data protection officer answers what a citizen objects to, in a real browser: the list, the look in words, what is wrong beside its field,
// the answer by keyboard; and the officer who looked is turned away. Called by run.mjs with its tools.
export async function walk({ page, given, to, text, must, judged, measured, seen, signsIn, signsOut, out }) {
  const list = "/pages/objections";
  const done = async (act) => Promise.all([page.waitForEvent("load"), act()]);
  async function shot(name) {
    for (const width of [1280, 768, 390, 320]) {
      await page.setViewportSize({ width, height: 900 });
      await measured(name, String(width));
      await page.screenshot({ path: `${out}/${name}-${width}-vi-light.png`, fullPage: true });
    }
    await judged(name, "320 vi");
    await page.setViewportSize({ width: 1280, height: 900 });
    await judged(name, "1280 vi");
  }

  await signsIn("bao");
  must((await text()).includes("2 ý kiến chờ trả lời"), "home", await text());
  await seen("objections", list);
  await seen("objections-late", `${list}?state=late`);
  await seen("objection", `${list}/${given.partner}`);

  // By keyboard alone: without a choice the browser asks for it, and nothing is sent.
  await to(`${list}/${given.partner}`);
  await page.focus("[name=verdict]");
  await page.keyboard.press("Space");
  await page.keyboard.press("Tab");
  must(await page.evaluate(() => document.activeElement.id) === "words", "objection", "the words do not follow the choice");
  await page.keyboard.type("Đã yêu cầu cơ quan thuế xóa kết quả.");
  // What is typed comes back when the page is loaded again.
  await page.reload();
  must(await page.inputValue("#words") === "Đã yêu cầu cơ quan thuế xóa kết quả.", "objection", "what was typed is lost");
  // A choice that a script took away is told beside the field, and the words stay.
  await page.evaluate(() => { for (const one of document.querySelectorAll("[name=verdict]")) one.required = false; });
  await done(() => page.locator("main form .btn-1").click());
  must((await page.locator("#verdict-err").innerText()).includes("Chọn một trong hai"), "objection", "a missing choice is not told");
  must(await page.inputValue("#words") === "Đã yêu cầu cơ quan thuế xóa kết quả.", "objection", "what was typed is lost");
  await shot("objection-wrong");
  await page.check("[value=upheld]");
  await page.focus("main form .btn-1");
  await Promise.all([page.waitForURL("**done=answered"), page.keyboard.press("Enter")]);
  must((await text()).includes("Đã gửi câu trả lời"), "objection", await text());
  must(await page.evaluate(() => Object.keys(sessionStorage).length) === 0, "objection", "what was typed is kept after it was sent");
  await shot("objection-answered");
  await seen("objections-answered", `${list}?state=answered`);
  await signsOut();

  // The officer who looked reads why another one answers.
  await signsIn("both");
  await to(`${list}/${given.officer}`);
  must((await text()).includes("Bạn không trả lời được ý kiến này"), "objection-own", await text());
  must(await page.locator("[name=verdict]").count() === 0, "objection-own", "the form is there");
  await shot("objection-own");
  await signsOut();
}
