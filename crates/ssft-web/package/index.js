/** Entry point of the package: the bindings, and a start function that unpacks the module. */

import start from "./ssft_web.js";

export * from "./ssft_web.js";

export const url = new URL("./ssft_web.wasmz", import.meta.url);

export default async function init(packed = fetch(url)) {
  const response = await packed;
  if (!response.ok || !response.body) throw new Error(`${url}: the server answered ${response.status}`);
  const plain = response.body.pipeThrough(new DecompressionStream("gzip"));
  return start({ module_or_path: new Response(plain, { headers: { "Content-Type": "application/wasm" } }) });
}
