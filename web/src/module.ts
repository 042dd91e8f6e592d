/** Download of the packed module as a stream, and its cache. It is packed because many file servers do not compress. */

import init, { url } from "../pkg/index.js";

declare const __MODULE_BYTES__: number;

const CACHE = "ssft-module";

/** Starts the module. `progress` is called with the bytes loaded so far and their total. Returns the memory of the module. */
export async function startModule(progress: (loaded: number, total: number) => void): Promise<WebAssembly.Memory> {
  for (const name of ["WebAssembly", "DecompressionStream"]) {
    if (!(name in globalThis)) throw new Error(`this browser has no ${name}, which the page needs; use a newer browser`);
  }
  // Without a secure context, or if storage is blocked, there is no cache; the browser's HTTP cache remains.
  const cache = await opened().catch(() => undefined);
  const known = await cache?.match(url).catch(() => undefined);
  if (known) {
    try {
      return await start(known, progress);
    } catch {
      // A damaged entry is deleted and fetched again.
      await cache?.delete(url).catch(() => undefined);
    }
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: the server answered ${response.status}; reload the page, or check the files on the server`);
  const copy = response.clone();
  const memory = await start(response, progress).catch((error) => {
    throw new Error(`${url} came damaged; reload the page`, { cause: error });
  });
  if (cache) void keep(cache, copy).catch(() => undefined);
  return memory;
}

const opened = async () => globalThis.caches?.open(CACHE);

/** Replaces the content of the cache. The name of the module changes with its content, so other entries are of older pages. */
async function keep(cache: Cache, module: Response): Promise<void> {
  for (const other of await cache.keys()) await cache.delete(other);
  await cache.put(url, module);
}

async function start(packed: Response, progress: (loaded: number, total: number) => void): Promise<WebAssembly.Memory> {
  let loaded = 0;
  const counted = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform(chunk, controller) {
      loaded += chunk.length;
      progress(Math.min(loaded, __MODULE_BYTES__), __MODULE_BYTES__);
      controller.enqueue(chunk);
    },
  });
  const stream = packed.body as ReadableStream<Uint8Array<ArrayBuffer>> | null;
  const { memory } = await init(new Response(stream?.pipeThrough(counted)));
  return memory;
}
