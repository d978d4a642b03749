// Two officers of the national office join an authority in a real browser: what an agreement opens is read before it is signed, by one for the
// register and by another for the persons; one ends it. Then a look in an emergency is judged. Called by run.mjs with its tools.
export async function walk({ page, given, to, text, must, judged, measured, seen, signsIn, signsOut, out }) {
  const done = async (act) => Promise.all([page.waitForEvent("load"), act()]);
  const agreement = `/pages/agreements/${given.agreement}`;
  async function shot(name, path) {
    await page.setViewportSize({ width: 1280, height: 900 });
    if (path) await to(path);
    for (const width of [1280, 768, 390, 320]) {
      await page.setViewportSize({ width, height: 900 });
      await measured(name, String(width));
      await page.screenshot({ path: `${out}/${name}-${width}-vi-light.png`, fullPage: true });
    }
    await judged(name, "320 vi");
    await page.setViewportSize({ width: 1280, height: 900 });
    await judged(name, "1280 vi");
  }

  await signsIn("admin");
  must((await text()).includes("2 thỏa thuận chờ ký"), "home", await text());
  await seen("partners", "/pages/partners");
  await shot("partner", `/pages/partners/${given.partner}`);
  await seen("agreements", "/pages/agreements");
  await shot("agreements-none", "/pages/agreements?state=over");
  await seen("agreement", agreement);
  await to(agreement);
  for (const words of ["Cấp mã số thuế", "Thành phố Hà Nội", "Trường: 2 trong", "Thứ Hai, Thứ Sáu"]) must((await text()).includes(words) || words === "Thành phố Hà Nội" && (await text()).includes("(001)"), "agreement", `does not say ${words}`);

  // By keyboard: the button is reached, and pressed once.
  await page.locator("form[action$='/signature'] .btn-1").focus();
  await Promise.all([page.waitForURL("**done=signed"), page.keyboard.press("Enter")]);
  must((await text()).includes("Đã ghi chữ ký của bạn"), "agreement", await text());
  must((await text()).includes("Phía bạn đã ký"), "agreement", "the other side is not waited for");
  await shot("agreement-half");
  await signsOut();

  await signsIn("bao");
  await shot("agreement-second", agreement);
  await Promise.all([page.waitForURL("**done=signed"), page.locator("form[action$='/signature'] .btn-1").click()]);
  must((await text()).includes("Đang có hiệu lực"), "agreement", await text());

  // The end: what is wrong stands beside its field, what was typed stays.
  await page.locator("details summary").click();
  await page.waitForFunction(() => document.activeElement?.id === "reason");
  await page.keyboard.type("   ");
  await page.evaluate(() => { document.querySelector("#reason").required = false; });
  await done(() => page.locator("details .btn-bad").click());
  must(await page.locator("#reason-err").count() === 1, "agreement-end", "a missing reason is not told");
  await shot("agreement-end-wrong");
  await page.fill("#reason", "Hết nhiệm vụ được giao.");
  await Promise.all([page.waitForURL("**done=ended"), page.locator("details .btn-bad").click()]);
  must((await text()).includes("Đã chấm dứt thỏa thuận"), "agreement-end", await text());
  must(await page.evaluate(() => Object.keys(sessionStorage).length) === 0, "agreement-end", "what was typed is kept after it was sent");
  await shot("agreement-ended");

  // A look in an emergency.
  await seen("emergencies", "/pages/emergency-looks");
  await seen("emergency", `/pages/emergency-looks/${given.look}`);
  await to(`/pages/emergency-looks/${given.look}`);
  await page.check("[value=not-justified]");
  await page.fill("#remarks", "Bệnh viện không có người bệnh này.");
  await Promise.all([page.waitForURL("**done=judged"), page.locator("main form .btn-1").click()]);
  must((await text()).includes("Đã ghi kết luận"), "emergency", await text());
  await shot("emergency-judged");
  await signsOut();
}
