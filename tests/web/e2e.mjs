// The inspector in a real browser, used as a person uses it: files are chosen, buttons pressed, and what the page says
// is read. `node tests/web/e2e.mjs [--screenshots]` after `trunk build --release --offline`; prints one line a test.
import { chromium } from "playwright-core";
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { appendFileSync, copyFileSync, createReadStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
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

// As static hosts do: whole files, and ranges of them unless told otherwise. What was sent is counted.
const served = { bytes: 0, ranges: 0 };
const files = new Map();
function sendFile(request, response, path, type, ranges = true) {
  if (!existsSync(path)) return response.writeHead(404).end();
  const { size, mtimeMs } = statSync(path);
  const etag = `"${size}-${mtimeMs}"`;
  const asked = ranges && /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  if (request.headers["if-match"] && request.headers["if-match"] !== etag) return response.writeHead(412).end();
  const headers = { "content-type": type ?? "application/octet-stream", etag };
  if (!asked) return createReadStream(path).pipe(response.writeHead(200, headers));
  const [from, to] = [Number(asked[1]), Math.min(Number(asked[2]), size - 1)];
  if (from >= size) return response.writeHead(416, { "content-range": `bytes */${size}` }).end();
  served.bytes += to + 1 - from;
  served.ranges += 1;
  response.writeHead(206, { ...headers, "content-range": `bytes ${from}-${to}/${size}`, "content-length": to + 1 - from });
  createReadStream(path, { start: from, end: to }).pipe(response);
}
const server = createServer((request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url, "http://x").pathname)).replace(/^\/some\/path/, "");
  const image = files.get(path);
  if (image) return sendFile(request, response, image.path, image.type, image.ranges);
  const file = join(dist, path === "/" ? "index.html" : path);
  if (!file.startsWith(dist) || !existsSync(file)) return response.writeHead(404).end();
  sendFile(request, response, file, types[extname(file)], false);
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
// A path of its own: the page has to work under any.
const base = `http://127.0.0.1:${server.address().port}/some/path/`;
// The same app as one file, from the disk.
const alone = pathToFileURL(join(dist, "stasis-inspector.html")).href;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

let passed = 0;
const failed = [];
const wanted = process.argv.slice(2).filter((word) => !word.startsWith("--"));
/// Runs a test in a new browser profile: of the folder on a server, and of the one file too unless it says `only`.
async function test(name, body, { size = { width: 1600, height: 960 }, dark = false, url = "", only = null, quiet = true, elsewhere = null } = {}) {
  const homes = [["folder", base, name], ["file", alone, `${name} (one file)`]];
  for (const [home, start, title] of homes.filter(([home]) => (only ?? home) === home)) {
    if (wanted.length && !wanted.some((word) => title.includes(word))) continue;
    const context = await browser.newContext({ viewport: size, colorScheme: dark ? "dark" : "light", acceptDownloads: true });
    const page = await context.newPage();
    const complaints = [];
    const requests = [];
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("request", (request) => requests.push(request.url()));
    try {
      await page.goto(start + url);
      await body(page, { requests, context, home });
      if (quiet) assert.deepEqual(complaints, [], "the console is quiet");
      const foreign = requests.filter((it) => !it.startsWith(base) && !(elsewhere && it.startsWith(elsewhere)) && !/^(data|blob|file):/.test(it));
      assert.deepEqual(foreign, [], "nothing is asked of anybody else");
      const files = requests.filter((it) => home === "file" && !/^(blob|data):/.test(it) && it.split("#")[0] !== alone);
      assert.deepEqual(files, [], "only the page itself is read");
      passed += 1;
      console.log(`test ${title} ... ok`);
    } catch (error) {
      failed.push(title);
      console.log(`test ${title} ... FAILED\n${error.stack}\n${complaints.join("\n")}`);
      await page.screenshot({ path: join(tmpdir(), "stasis-web-failed.png") }).catch(() => {});
    } finally {
      await context.close();
    }
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
  await page.getByRole("tab", { name: "Search" }).click();
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
}, { url: "#offset=0x108" });

await test("a record is reached by its number", async (page) => {
  await open(page, conformance("valid"));
  await page.locator("#record-name", { hasText: "TAIL" }).waitFor();
}, { url: "#record=3" });

await test("another kernel gives another verdict", async (page) => {
  await open(page, conformance("valid"));
  assert.equal(await ret(page), 0);
  await page.locator("#kernel").fill("6.1.0");
  await page.locator("#kernel").press("Enter");
  await page.locator('#ret[data-ret="-22"]').waitFor();
  await page.locator("#kernel").fill("tomorrow");
  await page.locator("#kernel").press("Enter");
  await page.locator(".notice", { hasText: "write one such as 6.18.44" }).waitFor();
  assert.equal(await ret(page), -22);
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
  await page.getByRole("heading", { name: "Open a checkpoint image" }).waitFor();
  await page.evaluate((text) => {
    const data = new DataTransfer();
    data.setData("text/plain", text);
    window.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
  }, hex);
  await page.locator("#verdict", { hasText: /^Valid$/ }).waitFor();
});

const paste = (page, text) => page.evaluate((text) => {
  const data = new DataTransfer();
  data.setData("text/plain", text);
  document.activeElement?.blur();
  document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
}, text);

await test("a pasted image asks before it takes the place of the open one, and anything else leads somewhere", async (page) => {
  await open(page, example("sleep"));
  await settle(page);
  assert.match(await page.title(), /^sleep\.img/, "the title names the file");
  const hex = readFileSync(conformance("valid")).toString("hex");
  await paste(page, hex);
  await page.getByRole("alertdialog").getByRole("button", { name: "Keep" }).click();
  assert.equal(await page.locator(".filename").textContent(), "sleep.img");
  await paste(page, "deadbeefdeadbeefdeadbeef");
  await page.locator("#goto-wrong").waitFor();
  assert.equal(await page.locator(".filename").textContent(), "sleep.img", "what leads nowhere leaves the image open");
  await page.keyboard.press("Escape");
  await page.locator("#goto-wrong").waitFor({ state: "detached" });
  await paste(page, "0xe8");
  await page.locator("#record-name", { hasText: "IMAGE" }).waitFor();
  await page.locator("#understood", { hasText: "byte 0xe8 of the file, in IMAGE" }).waitFor();
  await paste(page, "[stack]");
  await page.locator(".hex-pane h2", { hasText: "Memory of" }).waitFor();
  await paste(page, hex);
  await page.getByRole("alertdialog").getByRole("button", { name: "Open" }).click();
  await page.locator(".filename", { hasText: "pasted bytes" }).waitFor();
});

await test("g leads anywhere, and asks whose memory only where several have the address", async (page) => {
  await open(page, join(process.env.STASIS_FAMILY, "family.img"));
  await settle(page);
  await page.keyboard.press("g");
  await page.keyboard.type("0x50000010");
  await page.keyboard.press("Enter");
  assert.equal(await page.locator(".reading").count(), 4, "one of each process with memory");
  await accessible(page);
  await page.locator(".reading", { hasText: "4242 sort" }).click();
  await page.locator(".hex-pane h2", { hasText: "Memory of 4242 sort" }).waitFor();
  const goes = async (text, where) => {
    await page.locator("#goto").fill(text);
    await page.keyboard.press("Enter");
    await page.locator("#understood", { hasText: where }).waitFor();
  };
  await goes("50000020", "0x50000020 of 4242 sort: [heap]+0x20");
  await goes("+0x10", "16 bytes on");
  await page.locator('.hexrow .cur[data-at="1342177328"]').first().waitFor();
  await goes("4241", "process 4241 cat");
  await page.locator("#record-name", { hasText: "TASK" }).waitFor();
  await goes("fd 1", "fd 1 of 4241 cat");
  await page.locator("#goto").fill("coreutils+0x123");
  await page.keyboard.press("Enter");
  await page.locator(".reading", { hasText: "4244 vi" }).click();
  await page.locator("#understood", { hasText: "coreutils+0x123 of 4244 vi, at 0x400123" }).waitFor();
}, { only: "folder" });

await test("two files dropped together are compared, the older with the newer", async (page) => {
  const [older, newer] = ["family.img", "family-later.img"].map((name) => [...readFileSync(join(process.env.STASIS_FAMILY, name))]);
  await page.getByRole("heading", { name: "Open a checkpoint image" }).waitFor();
  await page.evaluate(([older, newer]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(newer)], "newer.img", { lastModified: 2000 }));
    data.items.add(new File([new Uint8Array(older)], "older.img", { lastModified: 1000 }));
    window.dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
  }, [older, newer]);
  await page.locator("#compared", { hasText: "newer.img" }).waitFor();
  assert.equal(await page.locator(".filename").textContent(), "older.img");
}, { only: "folder" });

await test("findings are walked by key and filtered, and are one stop of the tab key", async (page) => {
  await open(page, conformance("tail-magic-wrong"));
  await settle(page);
  const current = () => page.locator(".finding.current");
  await page.keyboard.press("n");
  await current().waitFor();
  assert.equal(await current().getAttribute("data-offset"), await page.locator(".finding").first().getAttribute("data-offset"));
  await page.keyboard.press("p");
  await current().waitFor();
  assert.equal(await page.locator('.finding[tabindex="0"]').count(), 1);
  const errors = page.locator(".severity.error");
  assert.match(await errors.textContent(), /^1 error$|^\d+ errors$/);
  await errors.click();
  await page.locator(".finding.error").first().waitFor({ state: "detached" });
}, { only: "folder" });

await test("head, processes and end are on the first screen of either revision", async (page) => {
  for (const path of [join(process.env.STASIS_FAMILY, "family.img"), join(process.env.STASIS_FAMILY, "many.img"), example("shell"), conformance("valid")]) {
    await open(page, path);
    await settle(page);
    for (const name of ["HEAD", "TASK", "TAIL"]) {
      const row = page.locator(".node b", { hasText: new RegExp(`^${name}$`) }).first();
      await row.waitFor();
      const box = await row.boundingBox();
      assert.ok(box.y + box.height <= 768, `${name} of ${path} lies at ${box.y}`);
    }
  }
}, { size: { width: 1366, height: 768 }, only: "folder" });

await test("every column is there and under its heading on every screen, and panes are dragged and stay so", async (page) => {
  await open(page, example("shell"));
  await settle(page);
  for (const [width, height] of [[1280, 720], [1366, 768], [1440, 900], [1920, 1080], [390, 844]]) {
    await page.setViewportSize({ width, height });
    for (const [tab, list, columns] of [["Memory", "#areas", 9], ["Descriptors", "#fds", 7]]) {
      await page.getByRole("tab", { name: tab }).click();
      await page.locator(`${list} tbody tr:not(.gap)`).nth(2).waitFor();
      const seen = await page.locator(list).evaluate((list) => {
        const edges = (cells) => [...cells].map((cell) => Math.round(cell.getBoundingClientRect().left));
        const frame = list.getBoundingClientRect();
        const rows = [...list.querySelectorAll("tbody tr:not(.gap)")];
        const inside = rows.filter((row) => row.getBoundingClientRect().bottom <= Math.min(frame.bottom, innerHeight));
        return { head: edges(list.querySelectorAll("thead th")), row: edges(rows[0].children), whole: inside.length };
      });
      assert.equal(seen.head.length, columns);
      assert.deepEqual(seen.row, seen.head, `${tab} at ${width}: cells stand under their headings`);
      assert.ok(width < 1280 || seen.whole >= 3, `${tab} at ${width}x${height}: ${seen.whole} rows are whole`);
    }
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  const width = () => page.locator(".tree-pane").evaluate((pane) => pane.getBoundingClientRect().width);
  const [before, edge] = [await width(), await page.locator(".tree-split").boundingBox()];
  await page.mouse.move(edge.x + 2, edge.y + 200);
  await page.mouse.down();
  await page.mouse.move(edge.x + 102, edge.y + 220, { steps: 5 });
  await page.mouse.up();
  const dragged = await width();
  assert.ok(Math.abs(dragged - before - 100) < 5, `${before} to ${dragged}`);
  await page.reload();
  await open(page, example("shell"));
  assert.equal(await width(), dragged, "the next visit has it so");
}, { only: "folder" });

await test("a dropped file opens", async (page) => {
  const bytes = [...readFileSync(conformance("valid"))];
  await page.getByRole("heading", { name: "Open a checkpoint image" }).waitFor();
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
  await page.locator("#hex-scroll").focus();
  await page.keyboard.press("Shift+ArrowLeft");
  await page.locator("#selection", { hasText: "0x12e · 2 bytes" }).waitFor();
  await page.keyboard.press("/");
  await page.locator("#search-text:focus").waitFor();
});

await test("the JSON is saved", async (page) => {
  await open(page, conformance("valid"));
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save JSON" }).click()]);
  const json = JSON.parse(readFileSync(await download.path(), "utf8"));
  assert.equal(download.suggestedFilename(), "valid.img.json");
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
    await page.getByRole("tab", { name: "Processes" }).click();
    await page.locator(".register", { hasText: "rip" }).waitFor();
    await accessible(page);
    await shot(page, "threads");
    await page.getByRole("tab", { name: "Memory" }).click();
    await page.locator(".areas tr", { hasText: "[stack]" }).locator("button.link").click();
    await page.locator(".hex-pane h2", { hasText: "Memory" }).waitFor();
    await settle(page);
    for (const width of [1280, 1366, 1600]) {
      await page.setViewportSize({ width, height: 960 });
      const cut = await page.locator("#hex-scroll").evaluate((view) => view.scrollWidth - view.clientWidth);
      assert.ok(cut <= 0, `rows of long addresses are whole at ${width}: ${cut} px`);
    }
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

await test("real processes are among the examples", async (page) => {
  await page.getByRole("button", { name: "Try an example" }).click();
  for (const name of ["threads", "shell", "sleep"]) {
    await page.locator(`.card[data-name="${name}"]`).click();
    await page.locator(".filename", { hasText: new RegExp(`^${name}$`) }).waitFor();
    assert.equal(await page.locator("#verdict").textContent(), "Valid", name);
  }
});

await test("what fields say is searched, and strings of an area are listed where they lie", async (page) => {
  await open(page, example("threads"));
  await page.getByRole("tab", { name: "Search" }).click();
  await page.getByRole("button", { name: "Records", exact: true }).click();
  await page.locator("#search-text").fill("sigusr2");
  await page.keyboard.press("Enter");
  await page.locator(".hit", { hasText: "SIGPENDING" }).first().click();
  await page.locator(".node.selected", { hasText: "SIGPENDING" }).waitFor();
  await page.getByRole("tab", { name: "Memory" }).click();
  await page.getByRole("button", { name: /^Strings of the area/ }).and(page.locator("tr", { hasText: "[heap]" }).getByRole("button")).click();
  const note = page.locator(".hit", { hasText: "a note on the heap of the example" });
  await note.click();
  await page.locator(".hex-pane h2", { hasText: "Memory" }).waitFor();
  assert.match(await page.locator("#selection").textContent(), /· 33 bytes$/);
  assert.equal(Number((await page.locator("#selection").textContent()).split(" ")[0]), Number(await note.getAttribute("data-at")));
  await page.locator("#search-text").fill("NOTE ON");
  await page.getByRole("button", { name: "List", exact: true }).click();
  await page.locator("#found", { hasText: /^1 found/ }).waitFor();
  await accessible(page);
  await shot(page, "strings");
});

await test("an area of which one page is stored opens at that page", async (page) => {
  await open(page, example("threads"));
  await page.getByRole("tab", { name: "Memory" }).click();
  await page.locator(".areas tr", { hasText: "16.0 MiB" }).locator("th button").click();
  await page.locator(".hexrow .b:not(.wait):not(.hole)").first().waitFor();
  assert.match(await page.locator(".hexrow .ascii").first().textContent(), /./);
  const text = await page.locator(".hex .window").textContent();
  assert.match(text.replaceAll(/\s/g, ""), /onepageof/);
});

await test("the strip of memory zooms and moves, with buttons, wheel and keys", async (page) => {
  await open(page, example("threads"));
  await page.getByRole("tab", { name: "Memory" }).click();
  const areas = page.locator("#strip .area");
  await areas.nth(5).waitFor();
  const all = await areas.count();
  await page.locator(".areas tr", { hasText: "[stack]" }).locator("th button").click();
  await page.getByRole("button", { name: "Area shown" }).click();
  await page.waitForFunction((all) => document.querySelectorAll("#strip .area").length < all, all);
  await page.getByRole("button", { name: "All", exact: true }).click();
  await page.waitForFunction((all) => document.querySelectorAll("#strip .area").length === all, all);
  await page.locator("#strip").focus();
  for (let n = 0; n < 6; n++) await page.keyboard.press("+");
  await page.waitForFunction((all) => document.querySelectorAll("#strip .area").length < all, all);
  const before = await page.locator(".ends").textContent();
  for (let n = 0; n < 60; n++) await page.keyboard.press("ArrowLeft");
  await page.waitForFunction((before) => document.querySelector(".ends").textContent !== before, before);
  await page.keyboard.press("0");
  await page.waitForFunction((all) => document.querySelectorAll("#strip .area").length === all, all);
  await page.locator("#strip").hover();
  await page.mouse.wheel(0, -1500);
  await page.waitForFunction((all) => document.querySelectorAll("#strip .area").length < all, all);
});

await test("Back leads to where one jumped from, and forth again", async (page) => {
  await open(page, example("shell"));
  await page.locator(".node", { hasText: "TASK" }).locator(".fold").click();
  await page.locator(".node", { hasText: "THREAD" }).first().click();
  await page.locator("#record-name", { hasText: "THREAD" }).waitFor();
  const thread = page.url();
  await page.locator("#tree-scroll").focus();
  await page.getByRole("tab", { name: "Memory" }).click();
  await page.locator(".areas tr", { hasText: "[stack]" }).locator("th button").click();
  await page.locator(".hex-pane h2", { hasText: "Memory" }).waitFor();
  const stack = page.url();
  assert.match(stack, /#vaddr=0x7f/);
  await page.locator(".node", { hasText: "IMAGE" }).first().click();
  await page.locator(".node.selected", { hasText: "IMAGE" }).waitFor();
  await page.goBack();
  await page.locator(".hex-pane h2", { hasText: "Memory" }).waitFor();
  assert.equal(page.url(), stack);
  await page.goBack();
  await page.locator(".node.selected", { hasText: "THREAD" }).waitFor();
  assert.equal(page.url(), thread);
  await page.goForward();
  await page.locator(".hex-pane h2", { hasText: "Memory" }).waitFor();
  assert.equal(page.url(), stack);
});

const relatives = process.env.STASIS_FAMILY;
if (relatives) {
  const family = join(relatives, "family.img");
  const chosen = (page, pid) => page.locator(`.process[data-pid="${pid}"][aria-selected=true]`);
  /// Chooses a process in the view that is shown.
  const choose = (page, pid) =>
    page.locator("#process").evaluate((select, pid) => {
      select.value = [...select.options].find((option) => option.text.includes(pid)).value;
      select.dispatchEvent(new Event("change", { bubbles: true }));
    }, String(pid));

  await test("a process tree is drawn, and a process chosen in it is the one that every view shows", async (page) => {
    await open(page, family);
    assert.equal(await page.locator("#verdict").textContent(), "Valid");
    await page.getByRole("tab", { name: "Processes" }).click();
    const drawn = await page.locator(".process").evaluateAll((rows) => rows.map((row) => `${row.querySelectorAll(".wire").length} ${row.dataset.pid}`));
    assert.deepEqual(drawn, ["0 4200", "1 4241", "1 4242", "2 4251", "2 4252", "1 4243", "1 4244"]);
    const state = (pid) => page.locator(`.process[data-pid="${pid}"] .state`).textContent();
    assert.deepEqual(await Promise.all([4243, 4252, 4244].map(state)), ["zombie, exited with 3", "zombie, killed by SIGKILL", "stopped by SIGTSTP"]);
    await page.locator('.process[data-pid="4242"]').click();
    await chosen(page, 4242).waitFor();
    await page.locator(".processes").focus();
    await page.keyboard.press("End");
    await chosen(page, 4244).waitFor();
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowDown");
    await chosen(page, 4241).waitFor();
    await page.locator(".threads tbody th", { hasText: "4241" }).waitFor();
    await accessible(page);
    await shot(page, "processes");
    await page.getByRole("tab", { name: "Descriptors" }).click();
    await page.locator('tr[data-fd="1"]', { hasText: "to 4242 sort fd 0, 4251 sort-helper fd 0" }).waitFor();
    await choose(page, 4242);
    await page.locator('tr[data-fd="0"]', { hasText: "from 4241 cat fd 1" }).waitFor();
    await page.getByText("It shares its descriptor table with 4251 sort-helper.").waitFor();
    await accessible(page);
    await shot(page, "descriptors");
    await page.getByRole("tab", { name: "Memory" }).click();
    await page.getByText("It shares its memory with 4251 sort-helper.").waitFor();
    await page.locator(".areas tr", { hasText: "with 4241 cat" }).locator("th button").click();
    await page.locator(".hex-pane h2", { hasText: "Memory of 4242 sort" }).waitFor();
    await page.locator(".hexrow .b:not(.wait):not(.hole)").first().waitFor();
    assert.match((await page.locator(".hex .ascii").allTextContents()).join(""), /a note from cat to sort/);
    await page.getByRole("tab", { name: "Signals" }).click();
    await page.getByRole("heading", { name: "Timers" }).waitFor();
    await page.locator(".signals td", { hasText: "in 2 s" }).waitFor();
    await choose(page, 4243);
    await page.getByText("Process 4243 has exited with 3.").waitFor();
    for (const tab of ["Memory", "Descriptors", "Processes"]) {
      await page.getByRole("tab", { name: tab }).click();
      await page.getByText("Process 4243 has exited with 3.").waitFor();
    }
    await accessible(page);
    // A process picked among the records is chosen, too.
    await page.locator(".node", { hasText: "pid 4244 vi" }).click();
    await chosen(page, 4244).waitFor();
  });

  await test("a link leads into the memory of the process that it names", async (page) => {
    await open(page, family);
    await page.locator(".hex-pane h2", { hasText: "Memory of 4244 vi" }).waitFor();
    await page.locator(".hexrow .b:not(.wait):not(.hole)").first().waitFor();
    assert.match((await page.locator(".hex .ascii").allTextContents()).join(""), /this is the heap of vi/);
    assert.match(page.url(), /#vaddr=0x50000010&pid=4244$/);
    await page.evaluate(() => (location.hash = "#vaddr=0x50000010"));
    await page.locator(".hex-pane h2", { hasText: "Memory of 4200 bash" }).waitFor();
    await page.evaluate(() => (location.hash = "#vaddr=0x50000010&pid=4243"));
    await page.locator(".notice", { hasText: "into the memory of process 4243, which this image does not hold" }).waitFor();
    await page.evaluate(() => (location.hash = "#vaddr=0x99&pid=4200"));
    await page.locator(".notice", { hasText: "nothing is mapped at 0x99 in the memory of process 4200" }).waitFor();
  }, { url: "#vaddr=0x50000010&pid=4244" });

  await test("what is found says in whose memory it lies, and a shared object who has it", async (page) => {
    await open(page, family);
    await page.getByRole("tab", { name: "Search" }).click();
    await page.locator("#search-text").fill("this is the heap");
    await page.keyboard.press("Enter");
    await page.locator("#found", { hasText: /^4 found/ }).waitFor();
    await page.locator(".hit", { hasText: "4242 sort: [heap]" }).click();
    await page.locator(".hex-pane h2", { hasText: "Memory of 4242 sort" }).waitFor();
    await page.getByRole("tab", { name: "Record" }).click();
    // What is not a process is one row until it is unfolded.
    await page.locator(".node", { hasText: "1 PIPE" }).locator(".fold").click();
    await page.locator(".node b", { hasText: /^PIPE$/ }).click();
    await page.locator(".holders", { hasText: "4241 cat fd 1, 4242 sort fd 0" }).waitFor();
  });

  await test("process trees are compared by PID and pages by address", async (page) => {
    await open(page, family);
    await page.getByRole("tab", { name: "Compare" }).click();
    await page.setInputFiles("#other", join(relatives, "family-later.img"));
    await page.locator("#compared", { hasText: "family-later.img" }).waitFor();
    await page.locator(".differences tr", { hasText: "4242 sort: rw- [heap]" }).filter({ hasText: "1 of 1" }).waitFor();
    await page.locator(".changes li", { hasText: /^new TASK pid 4299/ }).first().waitFor();
    for (const change of await page.locator(".changes li").allTextContents()) assert.match(change, /TASK pid 4299/);
    await accessible(page);
    await shot(page, "compare");
  });
}

await test("a file that changes on disk is told of", async (page) => {
  const path = join(work, "changing.img");
  copyFileSync(example("sleep"), path);
  await open(page, path);
  appendFileSync(path, "more");
  await page.getByRole("tab", { name: "Search" }).click();
  await page.getByRole("button", { name: "File as it stands" }).click();
  await page.locator("#search-text").fill("sleep");
  await page.keyboard.press("Enter");
  await page.locator(".notice", { hasText: "the file changed on disk" }).waitFor();
  await page.getByRole("button", { name: "Dismiss" }).click();
  // Opened again it is what it is now.
  await open(page, path);
  await page.locator(".finding", { hasText: "bytes follow the image, 4 bytes" }).waitFor();
}, { quiet: false });

/// Drops what is at this path as the desktop does.
async function drop(page, context, path) {
  const session = await context.newCDPSession(page);
  const data = { items: [], files: [path], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"]) await session.send("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
}

await test("a file is dropped from the desktop, a directory by mistake", async (page, { context }) => {
  await page.getByRole("heading", { name: "Open a checkpoint image" }).waitFor();
  const dir = join(work, "a-directory");
  mkdirSync(dir, { recursive: true });
  await drop(page, context, dir);
  await page.locator(".notice", { hasText: "a-directory is a directory; drop the image itself" }).waitFor();
  await page.getByRole("button", { name: "Dismiss" }).click();
  await drop(page, context, example("shell"));
  await page.locator("#verdict", { hasText: /^Valid$/ }).waitFor();
});

await test("a worker that cannot be started is told of", async (page) => {
  await page.route("**/worker_bg.wasm", (route) => route.fulfill({ body: "no module", contentType: "application/wasm" }));
  await page.setInputFiles("input[type=file] >> nth=0", conformance("valid"));
  await page.locator(".notice.crash", { hasText: "Your file is untouched" }).waitFor();
  await accessible(page);
}, { only: "folder", quiet: false });

await test("the policy of the page holds for the worker too", async (page) => {
  await open(page, conformance("valid"));
  const other = createServer((_, response) => response.writeHead(200, { "access-control-allow-origin": "*" }).end("taken"));
  await new Promise((done) => other.listen(0, "127.0.0.1", done));
  let asked = 0;
  other.on("request", () => (asked += 1));
  const url = `http://127.0.0.1:${other.address().port}/`;
  const said = await page.workers()[0].evaluate((url) => fetch(url, { method: "POST", body: "memory" }).then(() => "sent", () => "refused"), url);
  other.close();
  assert.deepEqual([said, asked], ["refused", 0]);
}, { quiet: false });

files.set("/images/sleep image.img", { path: example("sleep") });
files.set("/images/whole.img", { path: example("sleep"), ranges: false });
await test("an image is opened by its address and read by ranges", async (page) => {
  await page.locator("#verdict", { hasText: /^Valid$/ }).waitFor();
  assert.equal(await page.locator(".filename").textContent(), "sleep image.img");
  await page.locator("#record-name", { hasText: "TAIL" }).waitFor();
}, { only: "folder", url: `?src=images/sleep%20image.img#offset=${statSync(example("sleep")).size - 8}` });

await test("an image of a host without ranges is opened too", async (page) => {
  await page.locator("#verdict", { hasText: /^Valid$/ }).waitFor();
  await page.locator("#hex-scroll").focus();
  await page.keyboard.press("End");
  await page.locator("#record-name", { hasText: "TAIL" }).waitFor();
}, { only: "folder", url: "?src=./images/whole.img" });

await test("forty thousand areas are listed, scrolled and filtered with what is in sight alone", async (page) => {
  await open(page, join(process.env.STASIS_FAMILY, "many.img"));
  await settle(page);
  await page.evaluate(() => {
    window.blocks = [];
    new PerformanceObserver((list) => list.getEntries().forEach((it) => window.blocks.push(Math.round(it.duration))))
      .observe({ type: "longtask" });
  });
  const took = await page.evaluate(() => new Promise((done) => {
    const start = performance.now();
    document.getElementById("tab-Memory").click();
    const look = () => document.querySelectorAll("#areas tbody tr:not(.gap)").length > 3
      ? done(performance.now() - start) : requestAnimationFrame(look);
    look();
  }));
  const count = async (rows) => {
    await page.locator(`#areas table[aria-rowcount="${rows}"]`).waitFor();
    const nodes = await page.evaluate(() => document.querySelectorAll("*").length);
    assert.ok(nodes < 6000, `${nodes} elements for ${rows} areas`);
  };
  await count(40000);
  await page.locator("p.quiet", { hasText: "400.0 KiB stored" }).waitFor();
  await page.evaluate(() => window.blocks.splice(0));
  await page.evaluate(async () => {
    const list = document.getElementById("areas");
    for (let step = 1; step <= 40; step++) {
      list.scrollTop = step * list.scrollHeight / 40;
      await new Promise((drawn) => requestAnimationFrame(drawn));
    }
  });
  await page.locator('#areas tr[data-start="0x7f00270fc000"]').waitFor();
  await page.locator("input[aria-label='Filter areas']").pressSequentially("pool 39990]");
  await count(1);
  console.log(`     first rows after ${took.toFixed(0)} ms, blocks over 50 ms since: ${(await page.evaluate(() => window.blocks)).join(", ") || "none"}`);
}, { only: "folder" });

await test("text in either case, wildcards and numbers are found, in a part of memory, and walked by key", async (page) => {
  await open(page, join(process.env.STASIS_FAMILY, "family.img"));
  await settle(page);
  await page.getByRole("tab", { name: "Search" }).click();
  const find = async (text, count) => {
    await page.locator("#search-text").fill(text);
    await page.keyboard.press("Enter");
    await page.locator("#found", { hasText: new RegExp(`^${count} found`) }).waitFor();
  };
  await find("THE HEAP OF", 0);
  await page.getByRole("button", { name: "Either case" }).click();
  await find("THE HEAP OF", 4);
  await page.keyboard.press("F3");
  await page.keyboard.press("F3");
  await page.locator(".hit.current", { hasText: "heap of cat" }).waitFor();
  await page.locator(".hex-pane h2", { hasText: "4241 cat" }).waitFor();
  await page.getByRole("button", { name: "Chosen process" }).click();
  await find("the heap of", 1);
  await page.getByRole("button", { name: "Area shown" }).click();
  await find("the heap of", 1);
  await accessible(page);
  await page.getByRole("button", { name: "All memory" }).click();
  await page.getByRole("button", { name: "Hex bytes" }).click();
  await find("68 65 ?? 70", 4);
  await page.locator("#search-text").fill("68 6");
  await page.keyboard.press("Enter");
  await page.locator(".wrong", { hasText: "pairs of hexadecimal digits" }).waitFor();
  assert.equal(await page.locator(".hit").count(), 0, "what was found before is no answer to this");
}, { only: "folder" });

await test("bytes at the cursor are numbers, times and text, and a pointer is followed", async (page) => {
  await open(page, example("threads"));
  await settle(page);
  await page.getByRole("tab", { name: "Processes" }).click();
  await page.locator(".register", { hasText: /^rsp/ }).locator("button").click();
  await page.locator(".hex-pane h2", { hasText: "Memory of" }).waitFor();
  await settle(page);
  const said = (name) => page.locator(".inspector div", { has: page.locator("dt", { hasText: new RegExp(`^${name}$`) }) }).locator("dd").textContent();
  const little = await said("32 bits");
  await page.getByRole("button", { name: "Big-endian" }).click();
  await page.locator('.inspector button[aria-pressed="true"]', { hasText: "Big-endian" }).waitFor();
  const swapped = (n) => Buffer.from([n & 255, n >> 8 & 255, n >> 16 & 255, n >>> 24]).readUInt32BE(0);
  assert.equal(parseInt(await said("32 bits")), swapped(parseInt(little)));
  await page.getByRole("button", { name: "Little-endian" }).click();
  await accessible(page);
}, { only: "folder" });

await test("text that would turn round is told as bytes, and what is damaged has a row that says so", async (page) => {
  const bytes = readFileSync(join(process.env.STASIS_FAMILY, "family.img"));
  const at = bytes.indexOf("/home/user");
  const length = bytes.readInt16LE(0x160 + 2);
  bytes.writeInt16LE(length + 8, 0x160 + 2);
  const path = join(work, "turned-\u202egmi.img");
  writeFileSync(path, bytes);
  assert.ok(at > 0x160);
  await page.setInputFiles("input[type=file]:not(#other) >> nth=0", path);
  await page.locator(".filename", { hasText: "turned-\\xe2\\x80\\xaegmi.img" }).waitFor();
  assert.ok(!(await page.title()).includes("\u202e"));
  await settle(page);
  const row = page.locator('.node[data-offset="352"]');
  await row.locator(".mark.error").waitFor();
  assert.match(await row.textContent(), /INODE.*cannot be read/);
  await page.locator(".node", { hasText: "pid 4242 sort" }).waitFor();
  await page.locator("dd", { hasText: "as far as it can be read" }).waitFor();
  assert.equal(await page.locator(".finding.error").count(), 1);
}, { only: "folder" });

const elf = join(work, "far.elf");
writeFileSync(elf, Buffer.concat([Buffer.from("7f454c4602010100", "hex"), Buffer.alloc(8), Buffer.from([3, 0])]));
truncateSync(elf, 1_600_000_000);
files.set("/far.elf", { path: elf });
await test("a file that is none is known by its first bytes, however long it is", async (page) => {
  await page.locator(".badge", { hasText: "Not an image" }).waitFor();
  await page.locator(".why", { hasText: "an ELF program or library" }).waitFor();
  console.log(`     ${(served.bytes / 1e3).toFixed(0)} kB of 1.6 GB read`);
  assert.ok(served.bytes < 1 << 20, `${served.bytes} bytes read`);
}, { only: "folder", url: "?src=far.elf" });

await test("an address where nothing is, is told of", async (page) => {
  await page.locator(".notice", { hasText: /images\/none\.img cannot be fetched: the server answers 404/ }).waitFor();
  await page.getByRole("heading", { name: "Open a checkpoint image" }).waitFor();
}, { only: "folder", url: "?src=images/none.img", quiet: false });

await test("an address of another host is refused by the policy", async (page) => {
  await page.locator(".notice", { hasText: "cannot be fetched" }).waitFor();
}, { only: "folder", url: "?src=http://127.0.0.1:9/x.img", quiet: false });

{
  const path = join(work, "served.img");
  copyFileSync(example("sleep"), path);
  files.set("/images/served.img", { path });
  await test("an image that changes on the server is told of", async (page) => {
    await page.locator("#verdict", { hasText: /^Valid$/ }).waitFor();
    appendFileSync(path, "more");
    await page.getByRole("tab", { name: "Search" }).click();
    await page.getByRole("button", { name: "File as it stands" }).click();
    await page.locator("#search-text").fill("sleep");
    await page.keyboard.press("Enter");
    await page.locator(".notice", { hasText: "the file changed on the server" }).waitFor();
  }, { only: "folder", url: "?src=images/served.img", quiet: false });
}

const stasis = process.env.STASIS_BIN;
if (stasis) {
  /// A process with a secret that nobody knew before, checkpointed while it runs: the image, the secret, its address.
  const live = async () => {
    const secret = randomBytes(24).toString("base64");
    const script = `
import ctypes, mmap, os, signal, sys, threading
os.closerange(3, 256)
secret = ctypes.create_string_buffer(sys.stdin.readline().encode())
# Memory that no path leads to is root's to read.
shared = mmap.mmap(-1, 3 * mmap.PAGESIZE) if os.getuid() == 0 else bytearray(3 * mmap.PAGESIZE)
shared[mmap.PAGESIZE:mmap.PAGESIZE + len(secret)] = bytes(reversed(secret[:]))
table = ["entry number %d of the table" % n for n in range(5000)]
waiter = threading.Thread(target=threading.Event().wait, daemon=True)
waiter.start()
print(hex(ctypes.addressof(secret)), hex(ctypes.addressof(ctypes.c_char.from_buffer(shared)) + mmap.PAGESIZE), flush=True)
os.close(0); os.open("/dev/null", os.O_RDONLY); os.dup2(0, 1); os.dup2(0, 2)
os.write(int(sys.argv[1]), b"x") if len(sys.argv) > 1 else None
signal.pause()`;
    const child = spawn("python3", ["-c", script], { stdio: ["pipe", "pipe", "inherit"] });
    child.stdin.end(`${secret}\n`);
    let said = "";
    child.stdout.on("data", (data) => (said += data));
    // Its output ends when it is a process of its own.
    await once(child.stdout, "end");
    const path = join(work, "live.img");
    execFileSync(stasis, ["checkpoint", String(child.pid), "--compress", "zstd", "-o", path], { stdio: ["ignore", "ignore", "inherit"] });
    const running = child.exitCode === null;
    child.kill("SIGKILL");
    await once(child, "exit");
    assert.ok(running, "the process runs on");
    const [address, shared] = said.trim().split(" ").map(Number);
    return { path, secret, address, shared, pid: child.pid };
  };
  const taken = await live();
  await test("a process just checkpointed holds its secret at its address", async (page) => {
    await open(page, taken.path);
    assert.equal(await page.locator("#verdict").textContent(), "Valid");
    await page.locator(".node", { hasText: `pid ${taken.pid}` }).or(page.locator(".node", { hasText: String(taken.pid) })).first().waitFor();
    await page.getByRole("tab", { name: "Search" }).click();
    await page.locator("#search-text").fill(taken.secret);
    await page.keyboard.press("Enter");
    await page.locator("#found").filter({ visible: true }).waitFor();
    const hit = page.locator(`.hit[data-at="0x${taken.address.toString(16)}"]`);
    await hit.click();
    await page.locator(`.hexrow .b.sel[data-at="${taken.address}"]`).first().waitFor();
    assert.match(page.url(), new RegExp(`#vaddr=0x${taken.address.toString(16)}$`));
    // A pointer to it is found by its value.
    await page.getByRole("button", { name: "Number", exact: true }).click();
    await page.locator("#search-text").fill(`0x${taken.address.toString(16)}`);
    await page.keyboard.press("Enter");
    await page.locator(".hit").first().waitFor();
    // And a colleague's link leads to the byte.
    const link = page.url();
    await page.goto("about:blank");
    await page.goto(link.replace(/#.*/, `#vaddr=0x${taken.address.toString(16)}`));
    await open(page, taken.path);
    await page.locator(`.hexrow .b.cur[data-at="${taken.address}"]`).first().waitFor();
  });
  await test("memory shared with others is found and read at its virtual address", async (page) => {
    await open(page, taken.path);
    await page.getByRole("tab", { name: "Search" }).click();
    await page.locator("#search-text").fill([...taken.secret].reverse().join(""));
    await page.keyboard.press("Enter");
    await page.locator("#found").filter({ visible: true }).waitFor();
    const hit = page.locator(".hit").first();
    const at = Number(await hit.getAttribute("data-at"));
    assert.ok(at >= taken.shared && at < taken.shared + 4096, `${at} in the page at ${taken.shared}`);
    await hit.click();
    await page.locator(`.hexrow .b.sel[data-at="${at}"]`).first().waitFor();
    assert.match((await page.locator(".hexrow .b.sel").allTextContents()).join(""), /^[0-9a-f]+$/);
  });
  await test("thousands of strings scroll, and the one wanted is found", async (page) => {
    await open(page, taken.path);
    await page.getByRole("tab", { name: "Memory" }).click();
    await page.locator(".areas tr", { hasText: "[heap]" }).locator("th button").waitFor();
    for (const row of await page.locator(".areas tbody tr:not(.gap)").all()) {
      const button = row.getByRole("button", { name: /^Strings/ });
      if (!(await button.isEnabled()) || !/rw-/.test(await row.textContent())) continue;
      await button.click();
      await page.locator("#found").filter({ visible: true }).waitFor();
      if (parseInt(await page.locator("#found").textContent()) > 400) break;
      await page.getByRole("tab", { name: "Memory" }).click();
    }
    const total = parseInt(await page.locator("#found").textContent());
    assert.ok(total > 400, `${total} strings`);
    assert.ok((await page.locator(".hit").count()) < 200, "only the rows in sight exist");
    const first = await page.locator(".hit").first().getAttribute("data-at");
    await page.locator("#hits").evaluate((list) => (list.scrollTop = list.scrollHeight));
    await page.waitForFunction((first) => document.querySelector(".hit").dataset.at !== first, first);
    const last = await page.locator(".hit").last().boundingBox();
    const list = await page.locator("#hits").boundingBox();
    assert.ok(Math.abs(last.y + last.height - list.y - list.height) < 40, "the end of the list is in sight");
  }, { only: "folder" });
  await test("the JSON is byte for byte that of the command line", async (page) => {
    for (const path of [taken.path, example("threads"), conformance("valid"), conformance("tail-magic-wrong")]) {
      await open(page, path);
      const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save JSON" }).click()]);
      const told = spawnSync(stasis, ["inspect", "--json", path], { maxBuffer: 1 << 30 });
      assert.ok(told.stdout.length > 1000, `${path}: ${told.stderr}`);
      assert.ok(readFileSync(await download.path()).equals(told.stdout), path);
    }
  });
  await test("an area is saved with the bytes that it holds", async (page) => {
    await open(page, taken.path);
    await page.getByRole("tab", { name: "Search" }).click();
    await page.locator("#search-text").fill(taken.secret);
    await page.keyboard.press("Enter");
    await page.locator(`.hit[data-at="0x${taken.address.toString(16)}"]`).click();
    // The list draws the rows that the window holds: all of them.
    await page.setViewportSize({ width: 1440, height: 8000 });
    await page.getByRole("tab", { name: "Memory" }).click();
    await settle(page);
    const rows = await page.locator(".areas tbody tr:not(.gap)").evaluateAll((rows) => rows.map((row) => row.dataset.start));
    const start = rows.filter((at) => Number(at) <= taken.address).at(-1);
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: `Save the area at ${start}` }).click()]);
    const bytes = readFileSync(await download.path());
    const at = taken.address - Number(start);
    assert.equal(bytes.subarray(at, at + taken.secret.length).toString(), taken.secret);
  });
}

await test("it fits every screen from a telephone to 4K, and nothing jumps", async (page) => {
  await page.evaluate(() => {
    window.shifted = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((it) => it.hadRecentInput || (window.shifted += it.value)))
      .observe({ type: "layout-shift", buffered: true });
  });
  await open(page, example("threads"));
  await settle(page);
  assert.ok((await page.evaluate(() => window.shifted)) < 0.1, "the layout stays while an image opens");
  for (const [width, height] of [[360, 740], [768, 1024], [1280, 800], [1366, 768], [1600, 960], [1920, 1080], [3840, 2160]]) {
    await page.setViewportSize({ width, height });
    for (const tab of ["Record", "Processes", "Memory", "Descriptors", "Signals", "Search", "Compare"]) {
      await page.getByRole("tab", { name: tab }).click();
      if (tab === "Memory") await page.locator(".areas tbody tr").nth(3).waitFor();
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(wider <= 0, `${tab} at ${width}: ${wider} px too wide`);
      const inside = await page.locator("#middle .long").evaluateAll((lists) => lists.map((list) => list.scrollWidth - list.clientWidth));
      // No column is left out: on less than a laptop a list scrolls sideways.
      assert.ok(width < 1280 || inside.every((px) => px <= 0), `a list of ${tab} at ${width}: ${inside} px too wide`);
      if (shots && tab === "Memory") await page.screenshot({ path: join(tmpdir(), `stasis-${width}.png`) });
    }
  }
});

await test("it is there at once", async (page) => {
  await page.getByRole("heading", { name: "Open a checkpoint image" }).waitFor();
  console.log(`     interactive ${(await page.evaluate(() => performance.now())).toFixed(0)} ms after navigation`);
});

const viewer = process.env.STASIS_VIEWER_BIN;
if (viewer) {
  const child = spawn(viewer, ["view", "--no-open", example("threads")], { stdio: ["ignore", "pipe", "ignore"] });
  const [said] = await once(child.stdout.setEncoding("utf8"), "data");
  const url = /http:\S+/.exec(said)[0];
  await test("stasis view shows the image that it was given", async (page) => {
    const own = new URL(url).origin;
    const requests = [];
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(url);
    await page.locator("#verdict", { hasText: /^Valid$/ }).waitFor();
    assert.equal(await page.locator(".filename").textContent(), "threads.img");
    await page.getByRole("tab", { name: "Search" }).click();
    await page.locator("#search-text").fill("a note on the heap");
    await page.keyboard.press("Enter");
    await page.locator(".hit").first().click();
    await page.locator(".hexrow .b.sel").first().waitFor();
    assert.deepEqual(requests.filter((it) => !it.startsWith(own) && !it.startsWith("blob:")), []);
    // A page of another origin gets nothing.
    await page.goto(base);
    const got = await page.evaluate((url) => fetch(url, { mode: "no-cors" }).then((it) => it.type, () => "refused"), url);
    assert.equal(got, "refused");
    child.kill("SIGINT");
    const [code] = await once(child, "exit");
    assert.equal(code, 0);
  }, { only: "folder", quiet: false, elsewhere: new URL(url).origin });
  child.kill("SIGKILL");
}

const big = process.env.STASIS_BIG;
if (big) {
  /// Private memory of the processes that show pages, the largest of them, in bytes.
  const tab = async () => {
    const session = await browser.newBrowserCDPSession();
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    await session.detach();
    const own = (pid) => [...readFileSync(`/proc/${pid}/smaps_rollup`, "utf8").matchAll(/^Private_\w+: +(\d+) kB/gm)].reduce((sum, it) => sum + 1024 * it[1], 0);
    return Math.max(...processInfo.filter((it) => it.type === "renderer").map((it) => own(it.id)));
  };
  const look = async (page, start) => {
    await page.locator("#verdict", { hasText: /^Valid$/ }).waitFor();
    console.log(`     opened in ${Date.now() - start} ms, the worker says ${await page.locator("#took").textContent()}`);
    await page.locator("#hex-scroll").focus();
    await page.keyboard.press("End");
    await page.locator("#record-name", { hasText: "TAIL" }).waitFor();
    await page.locator(".hexrow .b.cur:not(.wait)").waitFor();
    await page.locator("#hex-scroll").evaluate((view) => (view.scrollTop = view.scrollHeight / 2));
    await page.locator(".hexrow .b:not(.wait)").first().waitFor();
    const memory = await tab();
    console.log(`     ${(memory / 1e6).toFixed(0)} MB of private memory in the tab`);
    assert.ok(memory < 200e6, `${memory} bytes`);
  };
  await test("ten GiB open at once and scroll to the end", async (page) => {
    const start = Date.now();
    await open(page, big);
    await look(page, start);
    // All of it is read, and the page goes on meanwhile.
    await page.getByRole("button", { name: "Check them" }).click();
    await page.getByRole("progressbar", { name: "Checking pages" }).or(page.getByText("every byte checked")).waitFor();
    await page.getByRole("tab", { name: "Memory" }).click();
    await page.locator(".areas tr", { hasText: "10.0 GiB" }).locator("th button").click();
    await page.locator(".hex-pane h2", { hasText: "Memory of 10 big" }).waitFor();
    await page.locator("#hex-scroll").focus();
    await page.keyboard.press("End");
    await page.locator(`.hexrow .b.cur.zero[data-at="${0x7f0000000000 + 2 ** 33 * 1.25 - 1}"]`).waitFor();
  });
  files.set("/images/big.img", { path: big });
  const before = { ...served };
  await test("ten GiB on a server do too, and little of them travels", async (page) => {
    await look(page, Date.now());
    const bytes = served.bytes - before.bytes;
    console.log(`     ${(bytes / 1e6).toFixed(1)} MB in ${served.ranges - before.ranges} ranges`);
    assert.ok(bytes < 100e6, `${bytes} bytes`);
  }, { only: "folder", url: "?src=images/big.img" });
}

await browser.close();
server.close();
rmSync(work, { recursive: true, force: true });
console.log(`\ntest result: ${failed.length ? "FAILED" : "ok"}. ${passed} passed; ${failed.length} failed; 0 ignored; 0 measured; 0 filtered out`);
process.exit(failed.length ? 1 : 0);
