// The day of an office through its pages in Chromium. tests/tests/it/day.rs starts it with the programs of a country beside it, and does what it
// asks for on standard output (`> personalize 0`): what is done at a reader, at the register's desk or by the citizen. DAY=JSON of address, passwords
// and photograph, MODULES=folder with node_modules.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const given = JSON.parse(process.env.DAY);
const { chromium } = createRequire(`${process.env.MODULES}/`)("playwright-core");
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const wrong = [];
const check = (holds, what) => { if (!holds) wrong.push(what); };

async function stage(order) {
  process.stdout.write(`> ${order}\n`);
  const answer = (await answers.next()).value;
  if (answer === undefined || answer.startsWith("error")) throw new Error(`${order}: ${answer}`);
  return answer;
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"], timeout: 120_000 });

// An officer's desk: a browser of its own, signed in.
async function desk(name) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: "vi-VN", viewport: { width: 1280, height: 900 } });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  page.on("console", (said) => { if (["error", "warning"].includes(said.type()) && !/status of 4\d\d/.test(said.text())) wrong.push(`${name}: ${said.text()}`); });
  page.on("pageerror", (error) => wrong.push(`${name}: ${error}`));
  page.on("response", (response) => check(response.status() < 500, `${name}: ${response.status()} at ${response.url()}`));
  await page.goto(`${given.address}/pages/sign-in`);
  await page.fill("#username", name);
  await page.fill("#password", given.passwords[name]);
  await Promise.all([page.waitForURL("**/pages"), page.keyboard.press("Enter")]);
  return page;
}
const to = (page, path) => page.goto(given.address + path, { waitUntil: "load" });
const kept = (page, name) => page.screenshot({ path: `${given.out}/${name}.png`, fullPage: true });
const sends = (page, button, url) => Promise.all([page.waitForURL(url), page.locator(button).click()]);

// The counter: found by number, opened, taken, sent. Returns the application.
async function taken(page, number) {
  await to(page, "/pages/counter");
  await page.keyboard.type(number);
  await Promise.all([page.waitForURL("**/pages/counter/search"), page.keyboard.press("Enter")]);
  await sends(page, "a[href*='/pages/counter/persons/']", "**/pages/counter/persons/*");
  await page.selectOption("#kind", "first");
  await sends(page, "section[aria-labelledby=apply] button[type=submit]", "**/pages/counter/applications/*");
  const path = new URL(page.url()).pathname;
  await page.fill("#features", "Nốt ruồi cách 2 cm dưới đuôi mắt trái");
  await page.locator("#features").blur();
  await page.waitForFunction(() => document.querySelector("#saved").textContent.includes("lưu lúc"));
  await page.setInputFiles("#photograph", given.photograph);
  await sends(page, "form[action$='/portrait'] button[type=submit]", "**done=portrait");
  await sends(page, "button[name=said][value=agrees]", "**done=word");
  const slip = await page.request.get(`${given.address}${path}/slip`);
  check(slip.status() === 200, "counter: no slip");
  const answers = page.locator("[name=answers]");
  if (await answers.count() === 1) await answers.check();
  await sends(page, "form[action$='/capture'] .btn-1", "**done=sent");
  return path.split("/").pop();
}

// The decision: one key, and the next application opens.
async function decided(page, application, key, done) {
  await to(page, `/pages/approvals/${application}`);
  await Promise.all([page.waitForURL(`**done=${done}**`), page.keyboard.press(key)]);
}

// The hand-over: the slip is scanned, the person compared, the card activated.
async function handedOver(page, application, slip) {
  await to(page, "/pages/hand-over");
  await page.keyboard.type(slip);
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
  check(await page.inputValue("#slip") === slip, "hand-over: the slip that was scanned is asked for again");
  await page.check("[value=face-compared]");
  await page.check("[value=chip-trusted]");
  await sends(page, ".decisions button[type=submit]", "**done=handed-over**");
  check((await page.locator("main").innerText()).includes("Thẻ đã có hiệu lực"), `hand-over: ${application} is not told`);
}

const kind = (page, wanted) => page.waitForSelector(`body[data-kind="${wanted}"]`, { timeout: 60_000 });
const types = async (page, text) => { await page.keyboard.type(text); await page.keyboard.press("Enter"); };

// A kiosk with the trust bundle of this moment reads the card in the first reader.
async function judged(number, verdict, name) {
  await stage("remove 0");
  const context = await browser.newContext({ locale: "vi-VN", viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  await page.goto(await stage("kiosk"), { waitUntil: "load" });
  await kind(page, "waiting");
  await stage("insert 0");
  await kind(page, "asking");
  await types(page, number.slice(6));
  await kind(page, verdict);
  await kept(page, name);
  const told = await page.locator("#main").innerText();
  await context.close();
  return told;
}

try {
  const [counter, approver, second, centre, desks] = [await desk("capture"), await desk("approver"), await desk("approver-2"), await desk("centre"), await desk("counter")];
  // Two readers are empty until their turn: a kiosk and the station see one card.
  await stage("remove 1");
  await stage("remove 2");

  // The straight road: counter, decision, factory.
  const [number, , ...words] = (await stage("citizen 0")).split(" ");
  const first = await taken(counter, number);
  await kept(counter, "1-counter");
  await decided(approver, first, "d", "approved");
  await stage("intake 0");
  let said = await stage("personalize 0");
  check(said.startsWith("0 "), `factory: ${said}`);
  const slip = await stage(`slip ${first}`);

  // Another person comes for the card: why, and the card waits on.
  await to(desks, `/pages/hand-over/${first}`);
  await desks.locator("[data-opens=refuse]").click();
  await desks.waitForSelector("#refuse[open]");
  await desks.keyboard.type("Người đến không phải người trong ảnh.");
  await sends(desks, "#refuse button[type=submit]", "**done=refused**");
  await handedOver(desks, first, slip);
  await kept(desks, "2-hand-over");

  // The kiosk trusts it, and shows the holder.
  let told = await judged(number, "trusted", "3-kiosk-trusted");
  check(told.includes(words.join(" ")), "kiosk: the holder is not shown");
  // Lost, and found by a kiosk.
  await stage(`lost ${await stage(`card ${first}`)}`);
  told = await judged(number, "refused", "4-kiosk-lost");
  check(!told.includes(words.join(" ")), "kiosk: a card that was lost shows its holder");
  await stage("remove 0");

  // Refused, and the citizen complains: the national office allows it, and another approver decides anew.
  const [appealing] = (await stage("citizen 1")).split(" ");
  const refused = await taken(counter, appealing);
  await to(approver, `/pages/approvals/${refused}`);
  await approver.keyboard.press("c");
  await approver.waitForSelector("#refuse[open]");
  await approver.keyboard.type("Ảnh không phải của người nộp hồ sơ.");
  await sends(approver, "#refuse button[type=submit]", "**done=refused**");
  check(await stage(`complains ${refused}`) === "appealed", "complaint: is not taken");
  await to(centre, `/pages/approvals/${refused}`);
  check((await centre.locator("main").innerText()).includes("Ảnh chụp sau khi ốm."), "complaint: its words are not shown");
  await centre.check("[name=outcome][value=allowed]");
  await centre.fill("#hearing", "Ảnh là của người nộp hồ sơ.");
  await kept(centre, "5-complaint");
  await sends(centre, "form[action$='/appeal'] .btn-1", "**done=**");
  await to(approver, `/pages/approvals/${refused}`);
  check(await approver.locator(".decisions .btn-1").count() === 0, "complaint: who refused may decide again");
  await decided(second, refused, "d", "approved");

  // The card is pulled out while it is written: the station says what to do, and goes on with the same chip.
  await stage("insert 1");
  await stage("intake 1");
  await stage("fault 1 removed:11");
  said = await stage("personalize 1");
  check(!said.startsWith("0 ") && said.includes("card-removed"), `factory: a card that was pulled out: ${said}`);
  await stage("insert 1");
  said = await stage("personalize 1");
  check(said.startsWith("0 "), `factory: it does not go on: ${said}`);
  await stage("remove 1");
  await handedOver(desks, refused, await stage(`slip ${refused}`));

  // A blank is spoiled while it is written: the application becomes a card on another one.
  const [third] = (await stage("citizen 2")).split(" ");
  const unlucky = await taken(counter, third);
  await decided(approver, unlucky, "d", "approved");
  await stage("insert 2");
  await stage("intake 2");
  await stage("fault 2 removed:11");
  await stage("personalize 2");
  await stage("insert 2");
  check(await stage("spoil 2") === "spoiled", "factory: the spoiled chip is not accounted for");
  await stage("intake 2");
  said = await stage("personalize 2");
  check(said.startsWith("0 "), `factory: no card after a spoiled blank: ${said}`);
  await handedOver(desks, unlucky, await stage(`slip ${unlucky}`));
} catch (error) {
  wrong.push(String(error.stack));
} finally {
  await browser.close();
}
for (const line of wrong) console.log(`WRONG ${line}`);
process.exit(wrong.length === 0 ? 0 : 1);
