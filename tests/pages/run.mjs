// Opens the pages in a real browser, works in them as an officer does, and looks at each: accessibility by axe-core with all rules, the
// content security policy, sideways scroll, the size of what is pressed. Leaves screenshots. `issuance/tests/it/pages.rs` starts the service
// and this program: PAGES=JSON of address, account and applications, MODULES=folder with node_modules, OUT=folder of the screenshots.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

const given = JSON.parse(process.env.PAGES);
const require = createRequire(`${process.env.MODULES}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const out = process.env.OUT;
mkdirSync(out, { recursive: true });

const faults = [];
const fault = (where, what) => faults.push(`${where}: ${what}`);
const must = (holds, where, what) => { if (!holds) fault(where, what); };

const browser = await chromium.launch({ executablePath: given.chromium, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"], timeout: 120_000 });
const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: "vi-VN" });
context.setDefaultTimeout(120_000);
const page = await context.newPage();
page.on("console", (message) => { if (["error", "warning"].includes(message.type()) && !/status of 4\d\d/.test(message.text())) fault(page.url(), message.text()); });
page.on("pageerror", (error) => fault(page.url(), error.message));
page.on("request", (request) => must(/^(data:|blob:)/.test(request.url()) || request.url().startsWith(given.address), page.url(), `asks for ${request.url()}`));
page.on("response", (response) => must(response.status() < 500, page.url(), `answers ${response.status()} at ${response.url()}`));

const to = (path) => page.goto(given.address + path, { waitUntil: "load" });
const text = () => page.locator("main").innerText();

// What a person who needs it would miss.
async function judged(name, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"], rules: { "color-contrast-enhanced": { enabled: true }, "target-size": { enabled: true } } }));
  for (const { id, nodes } of violations) fault(`${name} ${where}`, `axe: ${id} at ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
}

// What does not fit.
async function measured(name, where) {
  const wrong = await page.evaluate(() => {
    const found = [];
    const root = document.documentElement;
    if (root.scrollWidth > window.innerWidth) found.push(`scrolls sideways: ${root.scrollWidth} in ${window.innerWidth}`);
    for (const element of document.querySelectorAll(".btn, .choice button, .nav a, .queue li a, .card, summary, select, input:not([type=hidden]):not([type=checkbox]):not([type=radio]), textarea, .check")) {
      const box = element.getBoundingClientRect();
      if (box.width === 0) continue;
      if (box.height < 43.5) found.push(`${element.tagName} "${element.textContent.trim().slice(0, 30)}" is ${Math.round(box.height)} px high`);
    }
    for (const element of document.querySelectorAll("h1, h2, h3, p, dd, dt, td, th, .tag, .btn, label, b")) {
      if (element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX !== "auto") found.push(`${element.tagName} "${element.textContent.trim().slice(0, 30)}" is cut`);
    }
    return found;
  });
  for (const what of wrong) fault(`${name} ${where}`, what);
}

// The reader's choice, by the buttons of the page.
async function chooses(kind, value) {
  const button = page.locator(`button[name=${kind}][value=${value}]`).first();
  if ((await button.getAttribute("aria-pressed")) === "true") return;
  await Promise.all([page.waitForEvent("load"), button.click()]);
  must(await button.getAttribute("aria-pressed") === "true", page.url(), `${kind} is not ${value}`);
}

// A page at each width, in both languages, light and with contrast; dark and at 320 pixels once.
async function seen(name, path) {
  for (const language of ["vi", "en"]) {
    for (const theme of ["light", "contrast", ...(language === "vi" ? ["dark"] : [])]) {
      await page.setViewportSize({ width: 1280, height: 900 });
      await to(path);
      await chooses("language", language);
      await chooses("theme", theme);
      for (const width of theme === "dark" ? [1280] : [1280, 768, 390]) {
        await page.setViewportSize({ width, height: 900 });
        await page.screenshot({ path: `${out}/${name}-${width}-${language}-${theme}.png`, fullPage: true });
        await measured(name, `${width} ${language} ${theme}`);
        // Colours are those of the theme, and the outline that of the width: not each pair needs the long look.
        if (width === (language === "vi" ? 1280 : 390)) await judged(name, `${width} ${language} ${theme}`);
      }
    }
  }
  await page.setViewportSize({ width: 320, height: 700 });
  await measured(name, "320");
  // Spaces between letters, words and lines as WCAG 2.2 (1.4.12) has them.
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.evaluate(() => document.styleSheets[0].insertRule("* { letter-spacing: .12em !important; word-spacing: .16em !important; line-height: 1.5 !important }", document.styleSheets[0].cssRules.length));
  await measured(name, "with text spacing");
  await chooses("language", "vi");
  await chooses("theme", "light");
}

// A walk that another test gives stands alone.
if (given.walk) {
  const signsIn = async (username) => {
    await to("/pages/sign-in");
    await page.fill("#username", username);
    await page.fill("#password", given.password);
    await Promise.all([page.waitForURL("**/pages"), page.keyboard.press("Enter")]);
  };
  const signsOut = () => Promise.all([page.waitForURL("**/pages/sign-in?left=yes"), page.locator("form[action='/pages/sign-out'] button").click()]);
  await (await import(`./${given.walk}.mjs`)).walk({ page, context, given, to, text, must, judged, measured, seen, signsIn, signsOut, out });
  await browser.close();
  if (faults.length > 0) console.error(faults.join("\n"));
  process.exit(faults.length > 0 ? 1 : 0);
}

// Without a session every page leads to the door, and back to where it was asked for.
await to(`/pages/approvals/${given.first}`);
must(page.url().includes("/pages/sign-in?next="), "door", page.url());
await seen("sign-in", "/pages/sign-in");
await to(`/pages/approvals/${given.first}`);
await page.fill("#username", given.username);
await page.fill("#password", "not the password");
await page.keyboard.press("Enter");
await page.waitForSelector("[role=alert]");
must((await text()).includes("không đúng"), "door", "a wrong password is not told");
must(await page.inputValue("#username") === given.username, "door", "the name that was typed is lost");
await judged("sign-in", "with a wrong password");
await page.screenshot({ path: `${out}/sign-in-wrong-1280-vi-light.png`, fullPage: true });
await page.fill("#password", given.password);
await Promise.all([page.waitForURL(`**/pages/approvals/${given.first}`), page.keyboard.press("Enter")]);
const cookie = (await context.cookies()).find(({ name }) => name === "__Host-session");
must(cookie?.secure && cookie.httpOnly && cookie.sameSite === "Strict", "door", "the cookie of the session");

// The approver sees the portrait, the register, the history.
const portrait = await page.locator(".face img").evaluate((image) => [image.complete, image.naturalWidth, image.naturalHeight]);
must(portrait[0] && portrait[1] > 100 && portrait[2] > portrait[1], "file", `the portrait is not shown: ${portrait}`);
for (const words of [given.name, given.features, "Sổ dân cư", "Khai lần đầu"]) must((await text()).includes(words), "file", `does not show ${words}`);
must((await page.evaluate(() => document.fonts.size)) > 0 && await page.evaluate(() => document.fonts.check("600 16px 'Be Vietnam Pro'", "Ẩữộ")), "file", "the font is not there");
must(await page.evaluate(() => getComputedStyle(document.querySelector(".bar")).borderTopWidth) === "5px", "file", "the stylesheet is not there");
must(await page.evaluate(() => document.activeElement.id) === "name", "file", "the name has not the focus");
await page.setViewportSize({ width: 1280, height: 900 });
await page.screenshot({ path: `${out}/pages.png` }); // docs/pages.png
await seen("file", `/pages/approvals/${given.first}`);
await seen("blocked", `/pages/approvals/${given.blocked}`);
must((await page.locator("#why").innerText()).includes("Sổ dân cư chưa khớp lời công dân"), "blocked", "does not say what makes it allowed");
await seen("approvals", "/pages/approvals");
await seen("home", "/pages");
await seen("design", "/pages/design");
await seen("missing", "/pages/nowhere");
await seen("password", "/pages/password");

// A blocked application is not approved, by key or by mouse.
await to(`/pages/approvals/${given.blocked}`);
await page.keyboard.press("d");
await page.locator(".decisions .btn").first().click({ force: true });
must(page.url().endsWith(given.blocked), "blocked", "an approval went out");

// One key, one decision; the next application opens by itself. A reason that was typed for another one waits for it.
await to(`/pages/approvals/${given.third}`);
await page.keyboard.press("c");
await page.waitForSelector("#refuse[open]");
await page.keyboard.type("Chưa xong.");
await to(`/pages/approvals/${given.first}`);
await Promise.all([page.waitForURL("**done=approved**"), page.keyboard.press("d")]);
must((await text()).includes(`Đã duyệt hồ sơ ${given.first.slice(-6).toUpperCase()}`), "decision", "is not told");
must(!(await page.locator(".queue").innerText()).includes(given.first.slice(-6).toUpperCase()), "decision", "the queue still has it");

// Returned with reason and day; what is wrong is told, and what was typed stays.
await to(`/pages/approvals/${given.second}`);
await page.keyboard.press("t");
await page.waitForSelector("#return[open]");
await page.keyboard.press("Space");
await page.fill("#says", "Mang theo giấy khai sinh bản chính.");
await page.fill("#until", given.past);
await page.locator("#until").evaluate((field) => field.removeAttribute("min"));
await Promise.all([page.waitForEvent("load"), page.locator("#return button[type=submit]").click()]);
must((await page.locator("[role=alert]").innerText()).includes("Ngày này chưa dùng được"), "return", "a day that is past is not told");
must(await page.inputValue("#says") === "Mang theo giấy khai sinh bản chính.", "return", "what was typed is lost");
must(await page.locator("#return [name=reasons]").first().isChecked(), "return", "what was ticked is lost");
await judged("return", "with a day that is past");
await page.screenshot({ path: `${out}/return-wrong-1280-vi-light.png`, fullPage: true });
await page.fill("#until", given.until);
await Promise.all([page.waitForURL("**done=returned**"), page.locator("#return button[type=submit]").click()]);

// Refused with a reason, which a window that is loaded again still has.
await to(`/pages/approvals/${given.third}`);
await page.keyboard.press("c");
await page.waitForSelector("#refuse[open]");
must(await page.inputValue("#refusal") === "Chưa xong.", "refuse", "a decision about another application takes what was typed for this one");
await page.fill("#refusal", "Ảnh không phải của người nộp hồ sơ.");
await page.reload();
await page.keyboard.press("c");
must(await page.inputValue("#refusal") === "Ảnh không phải của người nộp hồ sơ.", "refuse", "what was typed is lost when the page is loaded again");
await Promise.all([page.waitForURL("**done=refused**"), page.locator("#refuse button[type=submit]").click()]);
must(await page.evaluate(() => Object.keys(sessionStorage).length) === 0, "refuse", "what was typed is kept after the decision");

// Single keys can be turned off.
await to(`/pages/approvals/${given.blocked}`);
await Promise.all([page.waitForEvent("load"), page.locator("button[name=keys]").click()]);
await page.locator("#name").focus();
await page.keyboard.press("t");
must(await page.locator("#return[open]").count() === 0, "keys", "act although they are off");

// The queue asks for itself, and takes in what is new without the page being loaded.
await page.evaluate(() => document.querySelector(".queue ol").remove());
await page.evaluate(() => document.querySelector(".queue").dispatchEvent(new CustomEvent("every")));
await page.waitForSelector(".queue ol a");

await Promise.all([page.waitForURL("**/pages/sign-in?left=yes"), page.locator("form[action='/pages/sign-out'] button").click()]);
must((await text()).includes("Bạn đã đăng xuất"), "door", "the end of the session is not told");
await to("/pages/approvals");
must(page.url().includes("/pages/sign-in"), "door", "the session goes on");

// The counter is walked by its own module.
await (await import("./counter.mjs")).counter({ page, context, given, to, text, must, judged, seen, out });
async function signsIn(username, password) {
  await to("/pages/sign-in");
  await page.fill("#username", username);
  await page.fill("#password", password);
  await Promise.all([page.waitForURL("**/pages"), page.keyboard.press("Enter")]);
}
async function signsOut() {
  await Promise.all([page.waitForURL("**/pages/sign-in?left=yes"), page.locator("form[action='/pages/sign-out'] button").click()]);
}
const tools = { page, context, given, to, text, must, seen, judged, measured, out, signsIn, signsOut };
await (await import("./person.mjs")).people(tools, given.people);
await (await import("./factory.mjs")).factory(tools, given.factory);
await (await import("./administration.mjs")).administration(tools, given.administration);

await browser.close();
if (faults.length > 0) {
  console.error(faults.join("\n"));
  process.exit(1);
}
console.log(`the pages were opened by ${given.chromium}; screenshots are in ${out}`);
