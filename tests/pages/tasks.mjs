// Does the ten commonest tasks through the pages as an officer does them, and counts: clicks, fields that are typed into, keys that act.
// Fails where one takes more than the table of docs/tasks.md says. `issuance/tests/it/tasks.rs` starts the service and this program:
// TASKS=JSON of address, accounts and papers, MODULES=folder with node_modules, TABLE=docs/tasks.md.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const given = JSON.parse(process.env.TASKS);
const require = createRequire(`${process.env.MODULES}/`);
const { chromium } = require("playwright-core");

// The limits: rows of the first table, `| 3 | what | clicks | fields | keys | seconds | …`.
const limits = new Map();
for (const line of readFileSync(process.env.TABLE, "utf8").split("\n")) {
  const cells = line.split("|").map((cell) => cell.trim());
  if (/^\d+$/.test(cells[1] ?? "") && !limits.has(+cells[1])) limits.set(+cells[1], { what: cells[2], clicks: +cells[3], fields: +cells[4], keys: +cells[5] });
}

const browser = await chromium.launch({ executablePath: given.chromium, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"], timeout: 120_000 });
const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: "vi-VN", viewport: { width: 1280, height: 900 } });
context.setDefaultTimeout(120_000);
const page = await context.newPage();

let counted;
// What an officer does with the mouse, and what is typed. A field that has the focus already is typed into without a click.
const hand = {
  click: async (at) => { counted.clicks += 1; await page.locator(at).first().click(); },
  // Opening a list and choosing from it.
  choose: async (at, value) => { counted.clicks += 2; await page.selectOption(at, value); },
  // The button of a file field, and the file in the window that opens.
  attach: async (at, file) => { counted.clicks += 2; await page.setInputFiles(at, file); },
  type: async (at, words) => {
    counted.fields += 1;
    if (!(await page.locator(at).evaluate((field) => field === document.activeElement))) await hand.click(at);
    await page.keyboard.type(words);
  },
  // A field of a date takes day, month and year one after the other.
  date: async (at, iso) => { counted.fields += 1; counted.clicks += 1; await page.fill(at, iso); },
  press: async (key) => { counted.keys += 1; await page.keyboard.press(key); },
};
const leads = (to, act) => Promise.all([page.waitForURL(to), act()]);
const loads = (act) => Promise.all([page.waitForEvent("load"), act()]);
const text = () => page.locator("main").innerText();

const faults = [];
const measured = [];
async function task(number, from, does, shows) {
  if (from) await page.goto(given.address + from, { waitUntil: "load" });
  counted = { clicks: 0, fields: 0, keys: 0 };
  const begun = performance.now();
  await does();
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  if (!(await text()).toLowerCase().includes(shows.toLowerCase())) faults.push(`${number}: the page does not show ${shows}: ${await text()}`);
  const limit = limits.get(number);
  measured.push(`| ${number} | ${limit?.what ?? "?"} | ${counted.clicks} | ${counted.fields} | ${counted.keys} | ${seconds} |`);
  if (!limit) return faults.push(`${number}: no row in the table`);
  for (const kind of ["clicks", "fields", "keys"]) {
    if (!(counted[kind] <= limit[kind])) faults.push(`${number} ${limit.what}: ${counted[kind]} ${kind}, the table says ${limit[kind]}`);
  }
}
async function signsIn(username) {
  await context.clearCookies({ name: "__Host-session" });
  await page.goto(`${given.address}/pages/sign-in`, { waitUntil: "load" });
  await page.fill("#username", username);
  await page.fill("#password", given.password);
  await leads("**/pages", () => page.keyboard.press("Enter"));
}

await task(1, "/pages/sign-in", async () => {
  await hand.type("#username", given.hand);
  await hand.press("Tab");
  await hand.type("#password", given.password);
  await leads("**/pages", () => hand.press("Enter"));
}, "Việc của bạn");

await task(2, "/pages/persons", async () => {
  await hand.type("#who", given.number);
  await loads(() => hand.press("Enter"));
  await leads("**/pages/persons/*", () => hand.click(".tbl th a"));
}, given.holder);

await signsIn(given.counter);
await task(3, "/pages/counter", async () => {
  await hand.type("#number", given.comes);
  await leads("**/pages/counter/search", () => hand.press("Enter"));
  await leads("**/pages/counter/persons/*", () => hand.click("main a[href*='/pages/counter/persons/']"));
  await hand.choose("#kind", "first");
  await leads("**/pages/counter/applications/*", () => hand.click("section[aria-labelledby=apply] button[type=submit]"));
  await hand.type("#features", "Nốt ruồi cách đuôi mắt phải 1 cm");
  await hand.attach("#photograph", given.photograph);
  await leads("**done=portrait", () => hand.click("form[action$='/portrait'] button[type=submit]"));
  await leads("**done=word", () => hand.click("button[name=said][value=agrees]"));
  await leads("**done=sent", () => hand.click("form[action$='/capture'] .btn-1"));
}, "Đã gửi hồ sơ đi duyệt");

await signsIn(given.approver);
const row = (id) => `.queue a[href*="${id}"]`;
await task(4, "/pages/approvals", async () => {
  await leads(`**/${given.approved}*`, () => hand.click(row(given.approved)));
  await leads("**done=approved**", () => hand.press("d"));
}, "Đã duyệt hồ sơ");

await task(5, "/pages/approvals", async () => {
  await leads(`**/${given.returned}*`, () => hand.click(row(given.returned)));
  await hand.press("t");
  await page.waitForSelector("#return[open]");
  await hand.press("Space");
  await hand.type("#says", "Mang theo giấy khai sinh bản chính.");
  await hand.date("#until", given.until);
  await leads("**done=returned**", () => hand.click("#return button[type=submit]"));
}, "Đã trả lại hồ sơ");

await task(6, "/pages/approvals", async () => {
  await leads(`**/${given.refused}*`, () => hand.click(row(given.refused)));
  await hand.press("c");
  await page.waitForSelector("#refuse[open]");
  await hand.type("#refusal", "Ảnh không phải của người nộp hồ sơ.");
  await leads("**done=refused**", () => hand.click("#refuse button[type=submit]"));
}, "Đã từ chối");

await signsIn(given.hand);
await task(7, "/pages/hand-over", async () => {
  await hand.type("#sought", given.slip);
  await loads(() => hand.press("Enter"));
  await hand.click("[value=face-compared]");
  await hand.click("[value=chip-trusted]");
  await hand.click("[value=collected]");
  await leads("**done=handed-over**", () => hand.click(".decisions button[type=submit]"));
}, "Thẻ đã có hiệu lực");

await task(8, "/pages/persons", async () => {
  await hand.type("#who", given.serial);
  await loads(() => hand.press("Enter"));
  await leads("**/pages/persons/*", () => hand.click(".tbl th a"));
}, given.holder);

await task(9, "/pages/readings", async () => {
  await hand.type("#person", given.person);
  await leads("**/persons/*/readings", () => hand.press("Enter"));
}, "kết quả tra cứu");

await signsIn(given.chief);
await task(10, "/pages/approvals", async () => {
  await leads(`**/${given.complaint}*`, () => hand.click(row(given.complaint)));
  await hand.click("[name=outcome][value=allowed]");
  await hand.type("form[action$='/appeal'] textarea", "Hai ảnh cũ là một người.");
  await leads("**done=appeal-allowed**", () => hand.click("form[action$='/appeal'] button[type=submit]"));
}, "Đã chấp nhận khiếu nại");

await browser.close();
console.log(measured.join("\n"));
if (measured.length !== limits.size) faults.push(`${limits.size} rows in the table, ${measured.length} tasks done`);
if (faults.length > 0) {
  console.error(faults.join("\n"));
  process.exit(1);
}
