// The page of the kiosk in Chromium. tests/tests/it/kiosk_page.rs starts it, and does what it asks for on standard output: `> kiosk plain`
// (a kiosk with that trust bundle; the answer is its address), `> insert 0`, `> remove 0`, `> fault 0 PLAN`, `> can 0`.
// MODULES=folder with node_modules, OUT=folder for the pictures, which a person looks at.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(`${process.env.MODULES}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const out = process.env.OUT;
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const SIZES = { upright: { width: 1080, height: 1920 }, wide: { width: 1280, height: 800 } };
const wrong = [];

async function stage(order) {
  process.stdout.write(`> ${order}\n`);
  const answer = (await answers.next()).value;
  if (answer === undefined || answer.startsWith("error")) throw new Error(`${order}: ${answer}`);
  return answer;
}

function check(holds, what) {
  if (!holds) wrong.push(what);
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });

async function opened(variant, language = "vi") {
  const address = await stage(`kiosk ${variant}`);
  const context = await browser.newContext({ viewport: SIZES.wide, locale: "vi-VN" });
  const page = await context.newPage();
  page.on("console", (said) => {
    if (["error", "warning"].includes(said.type())) wrong.push(`${variant}: the console says: ${said.text()}`);
  });
  page.on("pageerror", (error) => wrong.push(`${variant}: ${error}`));
  page.on("dialog", (dialog) => {
    wrong.push(`${variant}: markup of a card ran`);
    dialog.dismiss();
  });
  await page.goto(language === "vi" ? address : `${address}?lang=${language}`, { waitUntil: "load" });
  return page;
}

const kind = (page, wanted) => page.waitForSelector(`body[data-kind="${wanted}"]`, { timeout: 60_000 });

// Draws the page in both sizes, and measures it.
async function look(page, name) {
  await page.evaluate(() => document.fonts.ready);
  for (const [size, viewport] of Object.entries(SIZES)) {
    await page.setViewportSize(viewport);
    // The picture of a card is there before it is drawn.
    await page.waitForFunction(() => [...document.images].every((image) => image.complete));
    await page.screenshot({ path: `${out}/${name}-${size}.png` });
    const found = await page.evaluate(() => {
      const small = [];
      for (const target of document.querySelectorAll("button, a, input, summary")) {
        const { width, height } = target.getBoundingClientRect();
        if (width > 0 && (width < 56 || height < 56)) small.push(`${target.textContent.trim() || target.id} ${width}x${height}`);
      }
      const clipped = [];
      for (const part of document.querySelectorAll("h1, h2, p, dd, dt, b, span, button")) {
        if (part.classList.contains("vh")) continue;
        if (getComputedStyle(part).overflow !== "visible" && (part.scrollWidth > part.clientWidth + 1 || part.scrollHeight > part.clientHeight + 1)) {
          clipped.push(part.textContent.trim().slice(0, 40));
        }
      }
      const root = document.documentElement;
      return { small, clipped, sideways: root.scrollWidth - root.clientWidth, down: root.scrollHeight - root.clientHeight };
    });
    check(found.small.length === 0, `${name}-${size}: targets under 56 px: ${found.small.join(", ")}`);
    check(found.clipped.length === 0, `${name}-${size}: clipped: ${found.clipped.join(", ")}`);
    check(found.sideways <= 0, `${name}-${size}: scrolls sideways by ${found.sideways} px`);
    check(found.down <= 0 || ["each-check", "hostile"].includes(name), `${name}-${size}: scrolls down by ${found.down} px`);
    await page.evaluate(axe);
    const result = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag2aaa", "wcag21aa", "wcag22aa", "best-practice"] }));
    for (const violation of result.violations) {
      wrong.push(`${name}-${size}: axe ${violation.id}: ${violation.nodes.map((node) => node.target.join(" ") + ": " + node.failureSummary).slice(0, 3).join("; ")}`);
    }
  }
}

async function typeKey(page, text) {
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
}

try {
  // A trusted card, by hand, with all that a person does.
  let page = await opened("plain");
  await kind(page, "waiting");
  await look(page, "waiting");
  const inserted = Date.now();
  await stage("insert 0");
  await kind(page, "asking");
  console.log(`the page asks ${Date.now() - inserted} ms after the order to insert`);
  check(await page.evaluate(() => document.activeElement.id === "key"), "asking: the field has the focus");
  await typeKey(page, "12345");
  await page.waitForSelector(".k-wrong");
  await look(page, "asking-wrong");
  for (const digit of await stage("can 0")) await page.click(`[data-digit="${digit}"]`);
  await stage("fault 0 slow:8:1500");
  await page.click("#key-form .btn-1");
  await kind(page, "reading");
  await page.screenshot({ path: `${out}/reading-wide.png` });
  await kind(page, "trusted");
  check(await page.evaluate(() => document.activeElement.id === "band" && document.activeElement.getAttribute("role") === "alert"), "trusted: the verdict is an alert and has the focus");
  await look(page, "trusted");
  await page.click("summary");
  await look(page, "each-check");
  await page.click("summary");
  await page.click('[data-act="report"]');
  await page.waitForSelector("#foot [role=status]");
  await look(page, "trusted-saved");
  const portrait = await page.getAttribute(".face img", "src");
  await stage("remove 0");
  await kind(page, "waiting");
  check((await page.content()).includes(portrait) === false, "removed: the page forgets the picture");
  await page.context().close();

  // The same in English, then a chip whose texts are hostile and long.
  page = await opened("plain", "en");
  await stage("insert 0");
  await kind(page, "asking");
  await typeKey(page, await stage("can 0"));
  await kind(page, "trusted");
  await look(page, "trusted-en");
  await page.click('[data-act="done"]');
  await kind(page, "take-out");
  await look(page, "take-out");
  await stage("remove 0");
  await kind(page, "waiting");
  await stage("insert 1");
  await kind(page, "asking");
  // A scanner types the three lines of the MRZ, each with Enter.
  for (const line of (await stage("mrz 1")).split(" ")) await typeKey(page, line);
  await kind(page, "trusted");
  await look(page, "hostile");
  check((await page.locator("#main script, #main img:not([src^='portrait/'])").count()) === 0, "hostile: markup of the card is text");
  await stage("remove 1");
  await page.context().close();

  // Refused, and what could not be decided.
  page = await opened("revoked");
  await stage("insert 0");
  await kind(page, "asking");
  await typeKey(page, await stage("can 0"));
  await kind(page, "refused");
  check((await page.locator("#main img").count()) === 0, "refused: no picture");
  await look(page, "refused");
  await stage("remove 0");
  await page.context().close();

  page = await opened("overdue");
  await stage("insert 0");
  await kind(page, "asking");
  await typeKey(page, await stage("can 0"));
  await kind(page, "unknown");
  await look(page, "unknown-overdue");
  await page.click('[data-act="done"]');
  await stage("remove 0");
  await kind(page, "waiting");
  await stage("insert 0");
  await kind(page, "asking");
  await stage("fault 0 removed:9");
  await typeKey(page, await stage("can 0"));
  await kind(page, "unknown");
  await look(page, "unknown-removed");
  await stage("remove 0");
  await page.context().close();

  // Privacy mode, and a screen that was left alone.
  page = await opened("privacy");
  await look(page, "privacy-waiting");
  await stage("insert 0");
  await kind(page, "asking");
  await typeKey(page, await stage("can 0"));
  await kind(page, "trusted");
  await look(page, "privacy");
  await stage("remove 0");
  await page.context().close();

  page = await opened("idle");
  await stage("insert 0");
  await kind(page, "asking");
  await typeKey(page, await stage("can 0"));
  await kind(page, "trusted");
  await page.waitForSelector(".k-ask");
  await look(page, "still-there");
  check(await page.evaluate(() => document.activeElement.dataset.act === "here"), "still there: the answer has the focus");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".k-ask", { state: "detached" });
  await stage("remove 0");
  await kind(page, "waiting");
  await page.context().close();
} catch (error) {
  wrong.push(String(error));
} finally {
  await browser.close();
}
for (const line of wrong) console.log(`WRONG ${line}`);
process.exit(wrong.length === 0 ? 0 : 1);
