// Packs the module: gzip, because every browser unpacks that by itself, at its best. Usage: node pack.mjs IN OUT
import { readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const [from, to] = process.argv.slice(2);
const plain = readFileSync(from);
const packed = gzipSync(plain, { level: 9, memLevel: 9 });
writeFileSync(to, packed);
const mebibytes = (bytes) => (bytes.length / (1 << 20)).toFixed(2);
console.log(`${mebibytes(plain)} MiB, packed ${mebibytes(packed)} MiB (${packed.length} bytes)`);
