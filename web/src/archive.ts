/** Zip files of model directories. */

import { unzipSync, zipSync } from "fflate";
import type { ModelFiles } from "../pkg/index.js";
import type { Chosen } from "./protocol";

/** Largest total size of unpacked files, in bytes; the module has 4 GiB of memory in all. */
const MOST = 1 << 30;

/** A zip file without compression. */
export const pack = (files: ModelFiles): Uint8Array<ArrayBuffer> => zipSync(files, { level: 0 }) as Uint8Array<ArrayBuffer>;

/**
 * Files of a model in a zip file.
 *
 * @throws if the zip file is damaged or too large
 */
export function unpack(bytes: Uint8Array): ModelFiles {
  let size = 0;
  const filter = ({ name, originalSize }: { name: string; originalSize: number }) => {
    if (!isOfModel(name)) return false;
    size += originalSize;
    if (size > MOST) throw new Error("its files have more than 1 GiB");
    return true;
  };
  const files = unzipSync(bytes, { filter });
  for (const [name, sum] of checksums(bytes)) {
    const file = files[name];
    if (file && crc32(file) !== sum) throw new Error(`${name} in it is damaged`);
  }
  return files;
}

/** Files of a model from the user's selection: a folder, its files, or a zip file. */
export async function filesOf(chosen: readonly Chosen[]): Promise<ModelFiles> {
  const [first] = chosen;
  if (first && chosen.length === 1 && (await isZip(first))) {
    try {
      return inOneFolder(unpack(await bytesOf(first.content)));
    } catch (error) {
      throw new Error(`${first.path} is not a complete zip file`, { cause: error });
    }
  }
  const wanted = Object.fromEntries(chosen.filter(({ path }) => isOfModel(path)).map(({ path, content }) => [path, content]));
  const files = Object.entries(inOneFolder(wanted));
  return Object.fromEntries(await Promise.all(files.map(async ([name, content]) => [name, await bytesOf(content)])));
}

const bytesOf = async (content: Blob) => new Uint8Array(await content.arrayBuffer());

async function isZip({ path, content }: Chosen): Promise<boolean> {
  const [p, k] = await bytesOf(content.slice(0, 2));
  return /\.zip$/i.test(path) || (p === 0x50 && k === 0x4b);
}

/** True for files of a model directory that are read; weights in other formats and pictures are not loaded. */
const isOfModel = (path: string) => /\.(json|jinja|safetensors|txt)$/.test(path);

/** Files with names relative to the folder of the outermost `config.json`; of its subfolders only `trainer/` is kept. */
function inOneFolder<T>(files: Record<string, T>): Record<string, T> {
  const depth = (name: string) => name.split("/").length;
  const configs = Object.keys(files).filter((name) => name.split("/").pop() === "config.json");
  const [config] = configs.sort((a, b) => depth(a) - depth(b) || a.localeCompare(b));
  const folder = config?.slice(0, -"config.json".length) ?? "";
  const inside = Object.entries(files).flatMap(([name, file]): [string, T][] => {
    const rest = name.slice(folder.length);
    return name.startsWith(folder) && /^(trainer\/)?[^/]+$/.test(rest) ? [[rest, file]] : [];
  });
  return Object.fromEntries(inside);
}

/**
 * Names and CRC-32 in the central directory of a zip file. fflate does not check them; zip.js does, but is larger than this page.
 *
 * Source: .ZIP File Format Specification, 4.3.12 and 4.3.16.
 */
function* checksums(bytes: Uint8Array): Generator<[string, number]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end > 0 && view.getUint32(end, true) !== 0x06054b50) end--;
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0 && view.getUint32(at, true) === 0x02014b50; left--) {
    const [name, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true)) as [number, number, number];
    yield [new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + name)), view.getUint32(at + 16, true)];
    at += 46 + name + extra + comment;
  }
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  return sum;
});

function crc32(bytes: Uint8Array): number {
  let sum = ~0;
  for (const byte of bytes) sum = CRC_TABLE[(sum ^ byte) & 0xff]! ^ (sum >>> 8);
  return ~sum >>> 0;
}
