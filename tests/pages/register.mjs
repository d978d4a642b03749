// A day of two registrars in a real browser: form DC01 by keyboard alone, with a session that ends while the officer types; its second reading; a change, a merge and
// a row of the quarantine; the figures and the campaign. `run.mjs` calls it with what it has.
export async function walk({ page, context, given, to, text, must, judged, measured, seen, signsIn, signsOut, out }) {
  const picture = (name) => page.screenshot({ path: `${out}/register-${name}-1280-vi-light.png`, fullPage: true });
  const pressed = (locator, url) => Promise.all([page.waitForURL(url), locator.click()]);
  const focused = () => page.evaluate(() => document.activeElement.id);

  await signsIn(given.first);
  await seen("register", "/pages/register");
  await seen("register-list", "/pages/register/waiting/quarantine");

  // A form is begun and typed by keyboard alone: Tab goes from field to field in the order of the paper.
  await to("/pages/register");
  await page.locator(".page-head .btn-1").focus();
  await Promise.all([page.waitForURL("**/pages/register/forms/*"), page.keyboard.press("Enter")]);
  const place = new URL(page.url()).pathname;
  must(await focused() === "form", "form", `the first field has not the focus: ${await focused()}`);
  for (const typed of ["00001/12-2026", "Vi Thị Hoài Thương", "17/09/1995"]) {
    await page.keyboard.type(typed);
    await page.keyboard.press("Tab");
  }
  must(await focused() === "sex", "form", `Tab does not go on to the sex: ${await focused()}`);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  must(await page.inputValue("#sex") === "Nữ", "form", "the sex is not chosen by the arrows");
  await page.keyboard.press("Tab");
  await page.keyboard.type("Kinh");
  await page.waitForFunction(() => document.querySelector("#saved").textContent.includes("lưu lúc"));

  // A session that ends while the officer types: the window keeps the words, and the page that is open again keeps them too.
  const cookies = await context.cookies();
  await context.clearCookies({ name: "__Host-session" });
  await page.fill("#father-full_name", "Vi Văn Thắng");
  await page.fill("#mother-full_name", "Lý Thị Ngà");
  await page.locator("#mother-full_name").blur();
  await page.waitForFunction(() => document.querySelector("#saved").textContent.includes("Chưa lưu được"));
  await context.addCookies(cookies);
  await to(place);
  must(await page.inputValue("#full_name") === "Vi Thị Hoài Thương", "form", "what was kept is lost");
  must(await page.inputValue("#mother-full_name") === "Lý Thị Ngà", "form", "what was typed is lost with the session");
  await seen("register-form", place);
  await to(place);

  // A choice that is made first stays what it is when the page is loaded again.
  const keeps = (act) => Promise.all([page.waitForResponse((said) => said.request().method() === "POST" && said.url().endsWith(place)), act()]);
  await keeps(() => page.selectOption("#sex", "Nam"));
  await to(place);
  must(await page.inputValue("#sex") === "Nam", "form", `a choice goes blank when the page is loaded again: ${await page.inputValue("#sex")}`);
  must(!(await page.locator("#saved").innerText()).includes("cửa sổ này đã gõ"), "form", "what was kept is told as something else");
  await keeps(() => page.selectOption("#sex", "Nữ"));

  // Two windows of one officer: the older one takes nothing back, and is told what is kept now.
  const other = await context.newPage();
  await other.goto(given.address + place);
  await other.fill("#religion", "Phật giáo");
  await Promise.all([other.waitForResponse((said) => said.request().method() === "POST"), other.locator("#religion").blur()]);
  await other.close();
  await page.fill("#old_id_number", "012345678");
  await keeps(() => page.locator("#old_id_number").blur());
  await page.waitForFunction(() => document.querySelector("#saved").textContent.includes("Chưa lưu được"));
  await Promise.all([page.waitForEvent("load"), page.locator("button[formaction$='/check']").click()]);
  must((await text()).includes("Hiện đang lưu: Phật giáo") && await page.inputValue("#old_id_number") === "012345678", "form", "an older window does not say what is kept now, or takes what was typed");
  await judged("register-form-overtaken", "1280");
  await picture("form-overtaken");
  await page.setViewportSize({ width: 320, height: 700 });
  await measured("register-form-overtaken", "320");
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.fill("#religion", "Phật giáo");
  await page.fill("#old_id_number", "");
  await keeps(() => page.locator("#old_id_number").blur());
  await to(place);
  must(await page.inputValue("#religion") === "Phật giáo" && await page.inputValue("#old_id_number") === "", "form", "what was kept in one of two windows is lost");

  // A place is offered while it is typed; what is not clear is told at its field, with the places that may be meant.
  await page.fill("#birth_registration-unit", "");
  await page.locator("#birth_registration-unit").pressSequentially("Phúc X");
  await page.waitForFunction(() => document.querySelector("#birth_registration-unit-units option")?.value.startsWith("00001 "));
  await page.fill("#birth_registration-unit", "00001 Phúc Xá, Ba Đình, Hà Nội");
  await page.fill("#place_of_origin-unit", "Tân Lập");
  await page.fill("#permanent_residence-unit", "00001");
  await page.fill("#permanent_residence-detail", "Số 14, ngõ Mẫu");
  await Promise.all([page.waitForEvent("load"), page.locator("button[formaction$='/sending']").click()]);
  must(await page.locator("#place_of_origin-unit-err").isVisible(), "form", "an unclear place is not told at its field");
  must(await page.locator(".mend a").count() === 1, "form", "the head of the page does not lead to the field");
  must(await page.inputValue("#full_name") === "Vi Thị Hoài Thương", "form", "an error takes what was typed");
  await judged("register-form-wrong", "1280");
  await picture("form-wrong");
  await page.setViewportSize({ width: 320, height: 700 });
  await measured("register-form-wrong", "320");
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.fill("#place_of_origin-unit", "001/001");
  await Promise.all([page.waitForEvent("load"), page.locator("button[formaction$='/check']").click()]);
  must((await text()).includes("Kết quả kiểm tra"), "form", "what was found is not told");
  await judged("register-form-checked", "1280");
  await picture("form-checked");
  await pressed(page.locator("button[formaction$='/sending']"), "**done=sent");
  must((await text()).includes("Đã gửi phiếu"), "form", "the sending is not told");
  must(await page.evaluate(() => Object.keys(sessionStorage).length) === 0, "form", "the window keeps what was sent");
  await picture("sent");

  // What is typed into a row of the quarantine waits there, whatever is done elsewhere meanwhile.
  await to(`/pages/register/quarantine/${given.row}`);
  await page.fill("#birth_date", "25/08/1979");

  // A change with its evidence, and a merge. A session that ends while a field is typed over takes nothing.
  const changePlace = `/pages/register/persons/${given.person}/change?kind=moved`;
  await to(changePlace);
  const cookiesThen = await context.cookies();
  await page.fill("#permanent_residence-unit", "26740");
  await page.fill("#document", "Thông báo cư trú 7/2026");
  await context.clearCookies({ name: "__Host-session" });
  await Promise.all([page.waitForEvent("load"), page.locator(".dock .btn-1").click()]);
  must((await text()).includes("Đăng nhập"), "change", "the end of the session is not told");
  await context.addCookies(cookiesThen);
  await to(changePlace);
  must(await page.inputValue("#permanent_residence-unit") === "26740" && await page.inputValue("#document") === "Thông báo cư trú 7/2026", "change", "what was typed is lost with the session");
  await page.fill("#document", "");
  await seen("register-person", `/pages/register/persons/${given.person}`);
  await seen("register-change", `/pages/register/persons/${given.person}/change?kind=moved`);
  await to(`/pages/register/persons/${given.person}/change?kind=moved`);
  await page.fill("#permanent_residence-unit", "26740");
  await Promise.all([page.waitForEvent("load"), page.locator(".dock .btn-1").click()]);
  must(await page.locator("#document-err").isVisible() && await page.inputValue("#permanent_residence-unit") === "26740", "change", "a missing paper is not told, or takes what was typed");
  await judged("register-change-wrong", "1280");
  await picture("change-wrong");
  await page.fill("#document", "Thông báo cư trú 7/2026");
  await pressed(page.locator(".dock .btn-1"), "**done=proposed");
  const left = await page.evaluate(() => Object.keys(sessionStorage));
  must(left.length === 2 && left.every((name) => name.includes("birth_date")), "change", `the window has ${left}`);
  const change = new URL(page.url()).pathname;
  must((await text()).includes("Bạn đã đề nghị việc này"), "change", "does not say that another officer applies it");
  await seen("register-own", change);
  await seen("register-merge", `/pages/register/persons/${given.person}/merge?other=${given.double}`);
  await to(`/pages/register/persons/${given.person}/merge?other=${given.double}`);
  await page.check("input[name=take][value=religion]");
  await page.fill("#document", "Biên bản đối chiếu 3/2026");
  await pressed(page.locator(".dock .btn-1"), "**done=proposed");
  const merge = new URL(page.url()).pathname;

  // A row of the quarantine, mended by its suggestion.
  await seen("register-row", `/pages/register/quarantine/${given.row}`);
  await to(`/pages/register/quarantine/${given.row}`);
  must(await page.inputValue("#birth_date") === "25/08/1979", "row", "an act elsewhere takes what was typed");
  await pressed(page.locator(".faults .btn").first(), "**done=corrected");
  await judged("register-row-ready", "1280");
  await picture("row-ready");
  await pressed(page.locator("form[action$='/replay'] button"), "**done=replayed");

  await seen("register-figures", "/pages/register/figures");
  await seen("register-communes", "/pages/register/figures?of=001/001");
  await seen("register-campaign", "/pages/register/campaign");
  await signsOut();

  // The second officer: reads the paper without seeing what was typed, compares, and enters.
  await signsIn(given.second);
  await to("/pages/register");
  await Promise.all([page.waitForURL("**/reading"), page.locator(`a[href="${place}/reading"]`).click()]);
  must(!(await page.content()).includes("Thương"), "reading", "shows what was typed");
  must(await focused() === "full_name", "reading", `the first field has not the focus: ${await focused()}`);
  await seen("register-reading", `${place}/reading`);
  await to(`${place}/reading`);
  for (const [field, typed] of Object.entries({ "full_name": "Vi Thị Hoài Thương", "birth_date": "17/09/1996", "birth_registration-unit": "00001", "place_of_origin-unit": "Ba Đình, Hà Nội", "permanent_residence-unit": "00001", "father-full_name": "Vi Văn Thắng", "mother-full_name": "Lý Thị Ngà" })) await page.fill(`#${field}`, typed);
  await page.selectOption("#sex", "Nữ");
  await Promise.all([page.waitForEvent("load"), page.locator(".dock button").click()]);
  must(await page.locator("tr.diff").count() === 1, "reading", "does not show what differs");
  await judged("register-differ", "1280");
  await picture("differ");
  await page.setViewportSize({ width: 390, height: 800 });
  await measured("register-differ", "390");
  await page.screenshot({ path: `${out}/register-differ-390-vi-light.png`, fullPage: true });
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.fill("#birth_date", "17/09/1995");
  await Promise.all([page.waitForEvent("load"), page.locator(".dock button").click()]);
  must((await text()).includes("Hai lần đọc giống nhau"), "reading", "does not say that the readings are alike");
  await judged("register-alike", "1280");
  await picture("alike");
  await pressed(page.locator("form[action$='/entry'] button"), "**done=entered");
  await picture("entered");

  await seen("register-merging", merge);
  await to(merge);
  await pressed(page.locator("form[action$='/application'] button"), "**done=applied");
  // Old beside new, and what follows; applied once.
  await seen("register-proposal", change);
  await to(change);
  await pressed(page.locator("form[action$='/application'] button"), "**done=applied");
  await picture("applied");
  await seen("register-merged", `/pages/register/persons/${given.double}`);
  await signsOut();
}
