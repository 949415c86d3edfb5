// The inspector in a real browser, used as a person uses it: files are chosen, buttons pressed, and what the page says
// is read. `node tests/web/e2e.mjs [--screenshots]` after `trunk build --release --offline`; prints one line a test.
import { chromium } from "playwright-core";
import assert from "node:assert/strict";
import { closeSync, existsSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { extname, join, normalize, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = resolve(fileURLToPath(import.meta.url), "../../..");
const dist = process.env.STASIS_DIST ?? join(root, "dist");
const images = join(root, "tests/data/conformance");
const cases = JSON.parse(readFileSync(join(images, "cases.json"), "utf8"));
const shots = process.argv.includes("--screenshots") ? join(root, "docs/screenshots") : null;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const work = mkdtempSync(join(tmpdir(), "stasis-web-"));
const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".json": "application/json" };

const server = createServer((request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url, "http://x").pathname)).replace(/^\/some\/path/, "");
  const file = join(dist, path === "/" ? "index.html" : path);
  if (!file.startsWith(dist) || !existsSync(file)) return response.writeHead(404).end();
  response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" }).end(readFileSync(file));
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
// A path of its own: the page has to work under any.
const base = `http://127.0.0.1:${server.address().port}/some/path/`;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});

let passed = 0;
const failed = [];
const wanted = process.argv.slice(2).filter((word) => !word.startsWith("--"));
async function test(name, body, { size = { width: 1600, height: 960 }, dark = false, url = base } = {}) {
  if (wanted.length && !wanted.some((word) => name.includes(word))) return;
  const context = await browser.newContext({ viewport: size, colorScheme: dark ? "dark" : "light", acceptDownloads: true });
  const page = await context.newPage();
  const complaints = [];
  const requests = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => requests.push(request.url()));
  try {
    await page.goto(url);
    await body(page, { requests, context });
    assert.deepEqual(complaints, [], "the console is quiet");
    const foreign = requests.filter((it) => !it.startsWith(base) && !/^(data|blob|file):/.test(it));
    assert.deepEqual(foreign, [], "nothing is asked of anybody else");
    passed += 1;
    console.log(`test ${name} ... ok`);
  } catch (error) {
    failed.push(name);
    console.log(`test ${name} ... FAILED\n${error.stack}\n${complaints.join("\n")}`);
    await page.screenshot({ path: join(tmpdir(), "stasis-web-failed.png") }).catch(() => {});
  } finally {
    await context.close();
  }
}

const open = async (page, path) => {
  await page.setInputFiles("input[type=file]:not(#other) >> nth=0", path);
  const name = path.split("/").at(-1);
  await page.locator(".filename", { hasText: new RegExp(`^${name.replaceAll(".", "\\.")}$`) }).waitFor();
  await page.locator("#verdict").waitFor();
};
const conformance = (name) => join(images, `${name}.img`);
const example = (name) => join(root, "web/examples", `${name}.img`);
const ret = async (page) => Number(await page.locator("#ret").getAttribute("data-ret"));
const settle = (page) => page.locator(".hexrow .b:not(.wait)").first().waitFor();
async function accessible(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] }));
  const told = found.violations.map((it) => `${it.id}: ${it.nodes.slice(0, 3).map((node) => node.html.slice(0, 160) + " | " + node.failureSummary).join("\n")}`);
  assert.deepEqual(told, [], "axe finds nothing");
}
async function shot(page, name) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`) });
}

await test("the empty page invites and is accessible", async (page) => {
  await page.getByRole("heading", { name: "Open a checkpoint image" }).waitFor();
  await accessible(page);
  await shot(page, "empty");
});

await test("every conformance image gives the verdict of the kernel and points at the byte", async (page) => {
  await page.getByRole("button", { name: "Try an example" }).click();
  await page.locator(".card").first().waitFor();
  for (const it of cases) {
    const call = it.name.startsWith("syscall-");
    await page.locator(`.card[data-name="${it.name}"]`).click();
    await page.locator(".filename", { hasText: new RegExp(`^${it.name}$`) }).waitFor();
    assert.equal(await ret(page), call ? 0 : it.ret, it.name);
    const errors = page.locator(".finding.error");
    const valid = (await page.locator("#verdict").textContent()) === "Valid";
    assert.equal((await errors.count()) === 0, valid, it.name);
    if (!call && it.ret !== 0) {
      assert.ok((await errors.count()) > 0, `${it.name}: a reason is given`);
      const offset = Number(await errors.first().getAttribute("data-offset"));
      // What the kernel had read when it gave up includes the byte at fault, or ends where one is missing.
      if (it.consumed !== null) assert.ok(offset <= it.consumed, `${it.name}: ${offset} lies in the ${it.consumed} bytes read`);
    }
  }
});

await test("a finding, a record, a field and a byte lead to each other", async (page) => {
  await open(page, conformance("tail-magic-wrong"));
  await settle(page);
  await page.locator(".finding.error").first().click();
  await page.locator("#record-name", { hasText: "TAIL" }).waitFor();
  await page.locator(".hexrow .b.error.sel").first().waitFor();
  await page.locator('.hexrow .b[data-at="300"]').click();
  await page.locator("tr.selected[data-field=magic]").waitFor();
  await page.locator(".node", { hasText: "STRING" }).click();
  await page.locator("#record-name", { hasText: "STRING" }).waitFor();
  assert.match(await page.locator("#selection").textContent(), /^0x108/);
  await accessible(page);
  await shot(page, "findings");
});

await test("the address leads a colleague to the byte", async (page) => {
  await open(page, conformance("valid"));
  await page.locator("#record-name", { hasText: "STRING" }).waitFor();
  await page.locator("tr.selected[data-field=kind]").or(page.locator(".hexrow .b.sel").first()).first().waitFor();
  assert.match(await page.locator("#selection").textContent(), /^0x108/);
  assert.match(page.url(), /#offset=0x108$/);
}, { url: `${base}#offset=0x108` });

await test("a record is reached by its number", async (page) => {
  await open(page, conformance("valid"));
  await page.locator("#record-name", { hasText: "TAIL" }).waitFor();
}, { url: `${base}#record=3` });

await test("another kernel gives another verdict", async (page) => {
  await open(page, conformance("valid"));
  assert.equal(await ret(page), 0);
  await page.locator("#kernel").fill("6.1.0");
  await page.locator("#kernel").press("Enter");
  await page.locator('#ret[data-ret="-22"]').waitFor();
});

await test("what is no image is called by name, and the page stays whole", async (page) => {
  const files = {
    "core.bin": Buffer.concat([Buffer.from("7f454c46020101000000000000000000", "hex"), Buffer.from([4, 0, 62, 0]), Buffer.alloc(400)]),
    "empty.bin": Buffer.alloc(0),
    "zip.bin": Buffer.from("504b030400000000000000000000000000000000", "hex"),
    "random.bin": Buffer.from(Array.from({ length: 70000 }, (_, at) => (at * 2654435761) >>> 11 & 255)),
  };
  for (const [name, bytes] of Object.entries(files)) {
    writeFileSync(join(work, name), bytes);
    await open(page, join(work, name));
    assert.notEqual(await page.locator("#verdict").textContent(), "Valid", name);
    if (name === "core.bin") assert.match(await page.locator(".why").textContent(), /ELF core dump/);
  }
  await open(page, conformance("valid"));
  assert.equal(await page.locator("#verdict").textContent(), "Valid");
});

await test("a cut image shows the records up to the cut", async (page) => {
  await open(page, conformance("truncated-in-string"));
  await page.locator(".node", { hasText: "TASK" }).waitFor();
  await page.locator(".cut").waitFor();
  assert.equal(await ret(page), -32);
});

await test("pasted hexadecimal opens", async (page) => {
  const hex = readFileSync(conformance("valid")).toString("hex");
  await page.evaluate((text) => {
    const data = new DataTransfer();
    data.setData("text/plain", text);
    window.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
  }, hex);
  await page.locator("#verdict", { hasText: /^Valid$/ }).waitFor();
});

await test("a dropped file opens", async (page) => {
  const bytes = [...readFileSync(conformance("valid"))];
  await page.evaluate((list) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(list)], "dropped.img"));
    window.dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
  }, bytes);
  await page.locator("#verdict", { hasText: /^Valid$/ }).waitFor();
});

await test("tree and hex view are walked with the keyboard", async (page) => {
  await open(page, conformance("valid"));
  await page.locator(".node.selected").waitFor();
  await page.locator("#tree-scroll").focus();
  await page.keyboard.press("End");
  await page.locator("#record-name", { hasText: "TAIL" }).waitFor();
  await page.keyboard.press("ArrowUp");
  await page.locator("#record-name", { hasText: "STRING" }).waitFor();
  await page.locator("#hex-scroll").focus();
  await page.keyboard.press("Home");
  await page.locator("#record-name", { hasText: "HEAD" }).waitFor();
  await page.keyboard.press("g");
  await page.keyboard.type("0x12f");
  await page.keyboard.press("Enter");
  await page.locator("#record-name", { hasText: "TAIL" }).waitFor();
});

await test("the JSON is saved", async (page) => {
  await open(page, conformance("valid"));
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save JSON" }).click()]);
  const json = JSON.parse(readFileSync(await download.path(), "utf8"));
  assert.equal(json.revision, 1);
  assert.equal(json.records.length, 4);
});

await test("two images are compared", async (page) => {
  await open(page, conformance("valid"));
  await page.getByRole("tab", { name: "Compare" }).click();
  await page.setInputFiles("#other", conformance("valid-comm-15"));
  await page.locator(".changes li", { hasText: "STRING" }).waitFor();
  assert.equal(await page.locator(".changes li").count(), 1);
});

await test("the file is searched", async (page) => {
  await open(page, conformance("valid"));
  await page.getByRole("tab", { name: "Search" }).click();
  await page.getByRole("button", { name: "File as it stands" }).click();
  await page.locator("#search-text").fill("worker");
  await page.keyboard.press("Enter");
  await page.locator('.hit[data-at="0x110"]').click();
  assert.match(await page.locator("#selection").textContent(), /^0x110 · 6 bytes/);
});

if (existsSync(example("sleep"))) {
  await test("a process of revision 2 shows threads, memory, descriptors and signals", async (page) => {
    await open(page, example("sleep"));
    assert.equal(await page.locator("#verdict").textContent(), "Valid");
    await settle(page);
    await page.locator(".node", { hasText: "TASK" }).first().click();
    await page.locator("#record-name", { hasText: "TASK" }).waitFor();
    await shot(page, "record");
    await page.getByRole("tab", { name: "Threads" }).click();
    await page.locator(".register", { hasText: "rip" }).waitFor();
    await accessible(page);
    await shot(page, "threads");
    await page.getByRole("tab", { name: "Memory" }).click();
    await page.locator(".areas tr", { hasText: "[stack]" }).locator("button.link").click();
    await page.locator(".hex-pane h2", { hasText: "Memory" }).waitFor();
    await settle(page);
    await accessible(page);
    await shot(page, "memory");
    await page.getByRole("tab", { name: "Descriptors" }).click();
    await page.locator(".files td", { hasText: "/dev/null" }).first().waitFor();
    await page.getByRole("tab", { name: "Signals" }).click();
    await page.getByRole("heading", { name: "Limits" }).waitFor();
    await page.getByRole("tab", { name: "Search" }).click();
    await page.locator("#search-text").fill("sleep");
    await page.keyboard.press("Enter");
    await page.locator(".hit").first().click();
    await page.locator(".hexrow .b.sel").first().waitFor();
    await accessible(page);
    await shot(page, "search");
  });
  await test("in the dark it is accessible too", async (page) => {
    await open(page, example("sleep"));
    await settle(page);
    await page.getByRole("tab", { name: "Memory" }).click();
    await page.locator(".areas tr").nth(2).waitFor();
    await accessible(page);
    await shot(page, "dark");
  }, { dark: true });
}

await test("it fits a telephone", async (page) => {
  await open(page, conformance("head-magic-wrong"));
  await settle(page);
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(wider <= 0, `the page is ${wider} px too wide`);
  await shot(page, "narrow");
}, { size: { width: 360, height: 740 } });

await test("the one file works from the disk", async (page, { requests }) => {
  await page.getByRole("button", { name: "Try an example" }).click();
  await page.locator('.card[data-name="valid"]').click();
  await page.locator("#verdict", { hasText: /^Valid$/ }).waitFor();
  await open(page, conformance("tail-magic-wrong"));
  assert.equal(await ret(page), -22);
  assert.deepEqual(requests.filter((it) => !/^(blob|data):/.test(it)).length, 1, "only the page itself is read");
}, { url: pathToFileURL(join(dist, "stasis-inspector.html")).href });

if (process.env.STASIS_BIG) {
  await test("ten GiB open at once and scroll to the end", async (page) => {
    const start = Date.now();
    await open(page, process.env.STASIS_BIG);
    console.log(`     opened in ${Date.now() - start} ms, the worker says ${await page.locator("#took").textContent()}`);
    assert.equal(await page.locator("#verdict").textContent(), "Valid");
    await page.locator("#hex-scroll").focus();
    await page.keyboard.press("End");
    await page.locator("#record-name", { hasText: "TAIL" }).waitFor();
    await page.locator(".hexrow .b.cur:not(.wait)").waitFor();
    const heap = await page.evaluate(() => performance.memory.usedJSHeapSize);
    console.log(`     ${(heap / 1e6).toFixed(1)} MB of script heap`);
    assert.ok(heap < 200e6);
  });
}

await browser.close();
server.close();
rmSync(work, { recursive: true, force: true });
console.log(`\ntest result: ${failed.length ? "FAILED" : "ok"}. ${passed} passed; ${failed.length} failed; 0 ignored; 0 measured; 0 filtered out`);
process.exit(failed.length ? 1 : 0);
