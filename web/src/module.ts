/** Brings the module here: packed, because many a file server packs nothing; in a stream; and once. */

import init from "../pkg/ssft_web.js";

declare const __MODULE_BYTES__: number;

const CACHE = "ssft-module";

/** Starts the module at `url`; `progress` hears how many bytes of how many have come. Returns the module's memory. */
export async function startModule(
  url: string,
  progress: (loaded: number, total: number) => void,
): Promise<WebAssembly.Memory> {
  const response = await fetched(url);
  if (!response.ok || !response.body) throw new Error(`${url}: the server answered ${response.status}`);
  let loaded = 0;
  const counted = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      loaded += chunk.length;
      progress(Math.min(loaded, __MODULE_BYTES__), __MODULE_BYTES__);
      controller.enqueue(chunk);
    },
  });
  const bytes = (response.body as ReadableStream<Uint8Array<ArrayBuffer>>)
    .pipeThrough(counted)
    .pipeThrough(new DecompressionStream("gzip"));
  const unpacked = new Response(bytes, { headers: { "Content-Type": "application/wasm" } });
  const { memory } = await init({ module_or_path: unpacked });
  return memory;
}

/** From the cache, or from the server into the cache. Its name changes with its content. */
async function fetched(url: string): Promise<Response> {
  // Without a secure context, or with storage blocked, there is no cache: the browser's own has to do.
  const cache = await globalThis.caches?.open(CACHE).catch(() => undefined);
  const known = await cache?.match(url);
  if (known) return known;
  const response = await fetch(url);
  if (cache && response.ok) {
    const copy = response.clone();
    void (async () => {
      for (const other of await cache.keys()) await cache.delete(other);
      await cache.put(url, copy);
    })().catch(() => undefined);
  }
  return response;
}
