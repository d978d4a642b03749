// The day of two administrators in a real browser: one proposes, the other confirms and is shown a token once, the officer sets a password
// with it; a station is enrolled from a pasted request; deputies, calendar, hours; what is wrong is told beside its field. Called by run.mjs.
export async function administration({ page, to, text, must, seen, judged, measured, out, signsIn, signsOut }, given) {
  const place = "/pages/administration";
  const done = async (act) => Promise.all([page.waitForEvent("load"), act()]);
  const chooses = (value) => done(() => page.locator(`button[name=language][value=${value}]`).click());
  // A page at three widths and in both languages; `seen` looks at some of them in every colour.
  async function glanced(name, path) {
    await page.setViewportSize({ width: 1280, height: 900 });
    if (path) await to(path);
    for (const width of [1280, 390, 320]) {
      await page.setViewportSize({ width, height: 900 });
      await measured(name, `${width} vi`);
      await page.screenshot({ path: `${out}/${name}-${width}-vi-light.png`, fullPage: true });
    }
    await judged(name, "320 vi");
    await page.setViewportSize({ width: 1280, height: 900 });
    await judged(name, "1280 vi");
    if (!path) return;
    await chooses("en");
    await measured(name, "1280 en");
    await judged(name, "1280 en");
    await page.screenshot({ path: `${out}/${name}-1280-en-light.png`, fullPage: true });
    await chooses("vi");
  }

  await signsIn("admin", given.password);
  must((await text()).includes("Quản trị"), "home", "the administrator has no way to the administration");
  await seen("administration", place);
  await seen("officers", `${place}/officers`);
  await glanced("officer-new", `${place}/officers/new`);

  // What is wrong is told beside its field, and what was typed stays; then a proposal, by keyboard alone.
  await to(`${place}/officers/new`);
  must(await page.evaluate(() => document.activeElement.id) === "username", "officer-new", "the name has not the focus");
  await page.keyboard.type("Thùy.Dương");
  await page.fill("#office", "o-1");
  await page.check("[name=roles][value=capture]");
  await page.check("[name=roles][value=approver]");
  await done(() => page.locator("main button[type=submit]").click());
  must((await page.locator("fieldset .err").innerText()).includes("cán bộ thu nhận"), "officer-new", "two roles that exclude each other are not told");
  must(await page.inputValue("#username") === "Thùy.Dương" && await page.isChecked("[value=approver]"), "officer-new", "what was typed is lost");
  await glanced("officer-new-wrong");
  await page.uncheck("[name=roles][value=approver]");
  await done(() => page.locator("main button[type=submit]").click());
  must((await text()).includes("Đã đề xuất"), "officer", `a proposal is not told: ${await text()}`);
  must(await page.evaluate(() => Object.keys(sessionStorage).length) === 0, "officer", "what was typed is kept after it was sent");
  const officer = new URL(page.url()).pathname;
  await seen("officer", `${place}/officers/${given.officer}`);
  await to(`${place}/officers/${given.officer}`);
  await page.locator("details summary", { hasText: "Đổi vai trò" }).click();
  await page.locator("details summary", { hasText: "Kết thúc quyền truy cập" }).click();
  await page.waitForFunction(() => document.querySelectorAll("details[open]").length === 1);
  await glanced("officer-end");

  // The one who proposed does not confirm; the other one reads it whole and does.
  await to(officer);
  const proposal = await page.locator(".note.wait a").first().getAttribute("href");
  await to(proposal);
  must(await page.locator("[aria-disabled=true]").count() === 1, "proposal", "the one who proposed may confirm");
  await page.locator("[aria-disabled=true]").click({ force: true });
  must(new URL(page.url()).pathname === proposal, "proposal", "a confirmation went out");
  await glanced("proposal-own", proposal);
  await signsOut();
  await signsIn("second", given.password);
  await glanced("proposals", `${place}/proposals`);
  await glanced("proposal", proposal);
  await to(proposal);
  await done(() => page.locator("button", { hasText: "Xác nhận" }).first().click());
  const token = (await page.locator(".secret").innerText()).trim();
  must(/^([0-9a-f]{4} ){15}[0-9a-f]{4}$/.test(token), "token", `is not shown: ${token}`);
  must(await page.evaluate(() => document.activeElement.id) === "token", "token", "the heading has not the focus");
  await glanced("token");
  await page.emulateMedia({ media: "print" });
  await page.screenshot({ path: `${out}/token-print-vi.png`, fullPage: true });
  await page.emulateMedia({ media: "screen" });

  // Stations: a request is pasted, and the certificate is taken along.
  await glanced("stations", `${place}/stations`);
  await glanced("station-new", `${place}/stations/new`);
  await to(`${place}/stations/new`);
  await page.keyboard.type("Trạm ghi chip số 2, tầng 3, cơ sở Hoàng Quốc Việt kéo dài");
  await page.fill("#office", "o-1");
  await page.fill("#csr", "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----");
  await done(() => page.locator("main button[type=submit]").click());
  must((await page.locator("#csr-err").innerText()).includes("Chưa cấp được"), "station-new", "a request that is none is not told");
  await page.screenshot({ path: `${out}/station-wrong-1280-vi-light.png`, fullPage: true });
  await page.fill("#csr", given.csr);
  await done(() => page.locator("main button[type=submit]").click());
  must((await text()).includes("Đã đăng ký trạm"), "station", `an enrolment is not told: ${await text()}`);
  const station = new URL(page.url()).pathname;
  const pem = await page.evaluate(async (path) => (await fetch(path)).text(), `${station}/certificate.pem`);
  must(pem.startsWith("-----BEGIN CERTIFICATE-----"), "station", "the certificate cannot be taken along");
  await glanced("station", station);
  await to(station);
  await page.locator("details summary").first().click();
  await page.waitForFunction(() => document.activeElement?.matches("details textarea, details input"));
  await page.keyboard.type("Máy bị mất");
  await done(() => page.locator("details button[type=submit]").click());
  must((await text()).includes("Đã thu hồi trạm"), "station", "a revocation is not told");
  await page.screenshot({ path: `${out}/station-revoked-1280-vi-light.png`, fullPage: true });

  // Offices, hours, calendar, deputies.
  await glanced("offices", `${place}/offices`);
  await glanced("office", `${place}/offices/${given.unit}`);
  await glanced("hours", `${place}/offices/${given.unit}/hours`);
  await to(`${place}/offices/${given.unit}/hours`);
  await page.fill("#since", given.tomorrow);
  await page.fill("#rows", "T2 07:30 11:30 15 2\nT8 08:00 10:00 30 1");
  await page.fill("#reason", "Lịch mới");
  await done(() => page.locator("main button[type=submit]").click());
  must((await page.locator("#rows-err").innerText()).includes("dòng 2"), "hours", "a row that cannot be read is not told");
  await page.fill("#rows", "T2 07:30 11:30 15 2\nT7 08:00 10:00 30 1");
  await done(() => page.locator("main button[type=submit]").click());
  must((await text()).includes("Đã đặt giờ tiếp nhận"), "hours", "what was set is not told");
  await page.screenshot({ path: `${out}/hours-set-1280-vi-light.png`, fullPage: true });
  await seen("calendar", `${place}/calendar?year=2027`);
  await glanced("deputies", `${place}/deputies?office=o-1`);
  await to(`${place}/deputies?office=o-1`);
  await page.fill("#absent", given.absent);
  await page.fill("#deputy", given.excluded);
  await page.fill("#from", given.today);
  await page.fill("#to", given.tomorrow);
  await page.locator("#reason").fill("Nghỉ phép");
  await done(() => page.locator("section[aria-labelledby=appoint] button[type=submit]").click());
  must((await page.locator("#deputy-err").innerText()).includes("không được giữ cùng lúc"), "deputies", "roles that exclude each other are not told");
  await judged("deputies-wrong", "1280 vi");
  await page.fill("#deputy", given.deputy);
  await done(() => page.locator("section[aria-labelledby=appoint] button[type=submit]").click());
  must((await text()).includes("chờ quản trị viên thứ hai"), "deputies", "a deputy who waits is not told");
  must(await page.inputValue("#absent") === "", "deputies", "what was typed stands in the form after it was sent");
  await glanced("deputies-waiting");

  await glanced("tables", `${place}/tables`);
  await glanced("tables-communes", `${place}/tables?table=communes&within=001`);
  await seen("keys", `${place}/keys`);
  await signsOut();

  // The officer sets a password with the token, typed as it was printed.
  await to("/pages/sign-in");
  await done(() => page.locator("a[href='/pages/first-password']").click());
  await glanced("first-password", "/pages/first-password");
  await to("/pages/first-password");
  await page.keyboard.type("0000 0000");
  await page.fill("#new", given.password);
  await done(() => page.keyboard.press("Enter"));
  must((await page.locator("[role=alert]").innerText()).includes("Mã này không còn dùng được"), "first-password", "a wrong code is not told");
  await page.fill("#code", token);
  await page.fill("#new", given.password);
  await done(() => page.keyboard.press("Enter"));
  must((await text()).includes("Đã đặt mật khẩu"), "first-password", `is not told: ${await text()}`);
  await signsIn("thùy.dương", given.password);
  must((await text()).includes("Quầy"), "first-password", "the officer has no work");
  await signsOut();
}
