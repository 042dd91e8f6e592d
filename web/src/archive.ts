/** Models as one file: a zip of their directory. */

import { unzipSync, zipSync } from "fflate";
import type { ModelFiles } from "../pkg/ssft_web.js";

export const pack = (files: ModelFiles): Uint8Array<ArrayBuffer> =>
  zipSync(files, { level: 0 }) as Uint8Array<ArrayBuffer>;

export const unpack = (bytes: Uint8Array): ModelFiles => unzipSync(bytes);

/** The files of a model out of what somebody chose: a folder, its files, or a zip. */
export async function filesOf(chosen: readonly File[]): Promise<ModelFiles> {
  const [first] = chosen;
  if (first && chosen.length === 1 && first.name.endsWith(".zip")) {
    try {
      return inOneFolder(unpack(new Uint8Array(await first.arrayBuffer())));
    } catch (error) {
      throw new Error(`${first.name} is no whole zip file`, { cause: error });
    }
  }
  const files: ModelFiles = {};
  for (const file of chosen) files[file.webkitRelativePath || file.name] = new Uint8Array(await file.arrayBuffer());
  return inOneFolder(files);
}

/** Names as seen from the folder that `config.json` is in. */
function inOneFolder(files: ModelFiles): ModelFiles {
  const config = Object.keys(files).sort((a, b) => a.length - b.length).find((name) => name.split("/").pop() === "config.json");
  const folder = config?.slice(0, -"config.json".length) ?? "";
  const inside = Object.entries(files).filter(([name]) => name.startsWith(folder));
  return Object.fromEntries(inside.map(([name, bytes]) => [name.slice(folder.length), bytes]));
}
