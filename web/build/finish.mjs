// Finishes what Trunk built: writes the examples, the content security policy with the hashes of the scripts that
// Trunk put in the page, and the page as one file. Runs in Trunk's staging directory; prints what a first load costs.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";

const root = process.env.TRUNK_SOURCE_DIR ?? process.cwd();
const stage = process.env.TRUNK_STAGING_DIR ?? resolve(root, "dist");
const at = (name) => join(stage, name);
const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

// The examples: the conformance images with what the kernel says, and images that the engine made.
const tests = join(root, "tests/data/conformance");
const examples = JSON.parse(readFileSync(join(tests, "cases.json"), "utf8")).map((c) => ({
  name: c.name,
  kernel: c.kernel,
  // What is judged is the file: the arguments of the call are not in it.
  ret: c.name.startsWith("syscall-") ? 0 : c.ret,
  why: c.name.startsWith("syscall-") ? `a well-formed image; the call returns ${c.ret}: ${c.why}` : c.why,
  image: readFileSync(join(tests, c.image)).toString("base64"),
}));
const made = join(root, "web/examples");
if (existsSync(made)) {
  const about = JSON.parse(readFileSync(join(made, "about.json"), "utf8"));
  for (const { name, why } of about.toReversed()) {
    const image = readFileSync(join(made, `${name}.img`)).toString("base64");
    examples.unshift({ name, kernel: "", ret: 0, why, image });
  }
}
const gallery = JSON.stringify(examples);
writeFileSync(at("gallery.json"), gallery);

const policy = (script, rest) =>
  `default-src 'none'; script-src ${script} 'wasm-unsafe-eval'; style-src ${rest.style}; img-src data:; ` +
  `connect-src ${rest.connect}; worker-src ${rest.worker}; base-uri 'none'; form-action 'none'; object-src 'none'`;
const inline = (html) => [...html.matchAll(/<script(?![^>]*\b(?:src|type="application\/json"))[^>]*>([\s\S]*?)<\/script>/g)].map((m) => m[1]);

// The folder.
const page = readFileSync(at("index.html"), "utf8");
const hashes = inline(page).map(hash).join(" ");
const folder = { style: "'self'", connect: "'self'", worker: "blob:" };
writeFileSync(at("index.html"), page.replace("CSP-GOES-HERE", policy(`'self' ${hashes}`, folder)));

// The one file: no request is made at all, so connect-src is 'none'.
const files = readdirSync(stage);
const find = (pattern) => files.find((name) => pattern.test(name)) ?? fail(`Trunk made no file like ${pattern}`);
const text = (pattern) => readFileSync(at(find(pattern)), "utf8");
const base64 = (pattern) => readFileSync(at(find(pattern))).toString("base64");
const app = text(/^(?:app|stasis-web)-.*\.js$/).replace(/^export\s*\{[\s\S]*?\};?\s*$/gm, "").replace(/^export default .*$/gm, "").replace(/^export /gm, "");
const init = /\bexport\s*\{[^}]*?(\w+) as default/.exec(text(/^(?:app|stasis-web)-.*\.js$/))?.[1] ?? "__wbg_init";
const style = text(/\.css$/);
const safe = (script) => script.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
const bytes = `const bytes = (id) => Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));`;
const boot = safe(`{
${bytes}
const glue = document.getElementById("worker-js").textContent;
const start = "onmessage = (event) => { onmessage = null; wasm_bindgen({ module_or_path: event.data }); };";
globalThis.stasisWorker = URL.createObjectURL(new Blob([JSON.parse(glue) + "\\n" + start], { type: "text/javascript" }));
globalThis.stasisWorkerWasm = bytes("worker-wasm").buffer;
}
${app}
{
${bytes}
${init}({ module_or_path: bytes("app-wasm").buffer });
}
`);
const data = (id, type, body) => `<script type="${type}" id="${id}">${body}</script>`;
const json = (value) => JSON.stringify(value).replaceAll("<", "\\u003c");
const single = page
  .replace(/<script[\s\S]*?<\/script>/g, "")
  .replace(/<link[^>]*(?:modulepreload|preload|stylesheet)[^>]*>/g, "")
  .replace("</head>", () => `<style>${style}</style>\n</head>`)
  // The app takes the body for itself, so what it needs later stands in the head.
  .replace("</head>", () => [
    data("gallery-data", "application/json", gallery.replaceAll("<", "\\u003c")),
    data("worker-js", "application/json", json(text(/^worker\.js$/))),
    data("worker-wasm", "application/octet-stream", base64(/^worker_bg\.wasm$/)),
    data("app-wasm", "application/octet-stream", base64(/^(?:app|stasis-web)-.*\.wasm$/)),
    `<script type="module">${boot}</script>\n</head>`,
  ].join("\n"));
const alone = { style: hash(style), connect: "'none'", worker: "blob:" };
writeFileSync(at("stasis-inspector.html"), single.replace("CSP-GOES-HERE", policy(hash(boot), alone)));

// What a first load costs over the wire.
const cost = (pattern) => {
  let sum = 0;
  for (const name of files.filter((name) => pattern.test(name) && name !== "stasis-inspector.html").toSorted()) {
    const size = gzipSync(readFileSync(at(name)), { level: 9 }).length;
    sum += size;
    console.log(`${(size / 1000).toFixed(1).padStart(8)} kB gzip  ${name}`);
  }
  return sum;
};
const worker = cost(/^worker/);
console.log(`${(worker / 1000).toFixed(1).padStart(8)} kB gzip  with the first image`);
const first = cost(/^(?!worker).*\.(html|js|css|wasm)$/);
console.log(`${(first / 1000).toFixed(1).padStart(8)} kB gzip  first load`);
if (first > 300_000) fail("the first load is over 300 kB");

function fail(message) {
  console.error(message);
  process.exit(1);
}
