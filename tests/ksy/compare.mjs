// Compares the reader that Kaitai Struct makes of docs/stasis.ksy with the reader in Rust: every field of every record
// of the images has to stand at the same place, have the same length and the same value.
//
//   node tests/ksy/compare.mjs [IMAGE...]        without images: the golden ones of format/tests/golden
//
// What it needs is installed by `npm install --prefix tests/ksy`. Exit status 0 when all is equal, 1 when not.

import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, "../..");

/** Compiles docs/stasis.ksy; in debug mode, so that every field knows its place. */
async function compile() {
  const yaml = require("yaml");
  const compiler = require("kaitai-struct-compiler");
  const ksy = yaml.parse(readFileSync(path.join(root, "docs/stasis.ksy"), "utf8"));
  const files = await compiler.compile("javascript", ksy, null, true);
  const module = { exports: {} };
  const code = files["Stasis.js"];
  new Function("module", "exports", "require", code)(module, module.exports, require);
  return module.exports.Stasis ?? module.exports;
}

const camel = (name) => name.replace(/_+([a-z0-9])/g, (_, c) => c.toUpperCase());

/** The fields of a Kaitai object: name, offset, length, value. */
function* fieldsOf(object) {
  for (const [name, place] of Object.entries(object._debug)) {
    if (name.startsWith("_")) continue;
    yield { name, offset: place.ioOffset + place.start, len: place.end - place.start, value: object[name] };
  }
}

/** The fields of a record, those of its body in place of the body. */
function* flatten(record) {
  for (const field of fieldsOf(record)) {
    if (field.name === "body") yield* fieldsOf(field.value);
    else if (field.name !== "contents") yield field;
  }
}

/** Whether a value that Kaitai read is what these bytes say. */
function isValue(value, hex) {
  const bytes = Buffer.from(hex, "hex");
  if (value instanceof Uint8Array) return Buffer.from(value).equals(bytes);
  if (Array.isArray(value)) return true; // the places were compared, and their elements are plain numbers
  let number = 0n;
  for (const byte of [...bytes].reverse()) number = (number << 8n) | BigInt(byte);
  const signed = BigInt.asIntN(bytes.length * 8, number);
  // Kaitai's JavaScript reads 64 bits as a double: the low bits of large values are lost on its side.
  return value === Number(number) || value === Number(signed);
}

function compare(Stasis, image) {
  const KaitaiStream = require("kaitai-struct/KaitaiStream");
  // A buffer of its own: places count from the start of the memory that holds it.
  const parsed = new Stasis(new KaitaiStream(new Uint8Array(readFileSync(image)).buffer));
  parsed._read();
  const theirs = [parsed.head, ...(parsed.rev1 ?? []), ...(parsed.rev2 ?? [])];
  const listing = execFileSync("cargo", ["run", "-q", "-p", "stasis-format", "--example", "raw", "--", image], {
    cwd: root,
    maxBuffer: 1 << 30,
  });
  const ours = listing.toString().trim().split("\n").map((line) => JSON.parse(line));
  const faults = [];
  if (theirs.length !== ours.length) faults.push(`${theirs.length} records, not ${ours.length}`);
  let fields = 0;
  ours.forEach((record, at) => {
    if (!theirs[at]) return;
    // A header and a body may both have a `kind`: a name counts at its place only.
    const found = new Map([...flatten(theirs[at])].map((field) => [`${field.name} ${field.offset}`, field]));
    for (const [name, offset, hex] of record.fields) {
      fields += 1;
      const field = found.get(`${camel(name)} ${offset}`);
      found.delete(`${camel(name)} ${offset}`);
      const where = `record at ${record.offset}, ${name}`;
      if (!field) faults.push(`${where}: the .ksy has no such field here`);
      else if (field.len !== hex.length / 2) faults.push(`${where}: ${field.len} bytes, not ${hex.length / 2}`);
      else if (!isValue(field.value, hex)) faults.push(`${where}: ${field.value}, not ${hex}`);
    }
    for (const field of found.values()) {
      if (field.len > 0) faults.push(`record at ${record.offset}: ${field.name} is only in the .ksy`);
    }
    const place = theirs[at].contents?._debug?.after;
    if (place && place.ioOffset + place.end !== record.end)
      faults.push(`record at ${record.offset}: its contents end at ${place.end}, not ${record.end}`);
  });
  for (const fault of faults.slice(0, 20)) console.error(`${path.basename(image)}: ${fault}`);
  console.log(`${path.basename(image)}: ${ours.length} records, ${fields} fields, ${faults.length} differ`);
  return faults.length === 0 && fields > 0;
}

const golden = path.join(root, "format/tests/golden");
const images = process.argv.slice(2).map((image) => path.resolve(image));
if (images.length === 0) {
  for (const name of readdirSync(golden).filter((name) => name.endsWith(".img"))) images.push(path.join(golden, name));
}
const Stasis = await compile();
const equal = images.map((image) => compare(Stasis, image));
process.exit(equal.every(Boolean) ? 0 : 1);
