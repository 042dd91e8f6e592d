/** Brings the module here: packed, because many a file server packs nothing; in a stream; and once. */

import init, { url } from "../pkg/index.js";

declare const __MODULE_BYTES__: number;

const CACHE = "ssft-module";

/** Starts the module; `progress` hears how many bytes of how many have come. Returns the module's memory. */
export async function startModule(progress: (loaded: number, total: number) => void): Promise<WebAssembly.Memory> {
  for (const name of ["WebAssembly", "DecompressionStream"]) {
    if (!(name in globalThis)) throw new Error(`this browser has no ${name}, which the page needs; a newer one has`);
  }
  // Without a secure context, or with storage blocked, there is no cache: the browser's own has to do.
  const cache = await opened().catch(() => undefined);
  const known = await cache?.match(url).catch(() => undefined);
  if (known) {
    try {
      return await start(known, progress);
    } catch {
      // What is damaged is fetched anew.
      await cache?.delete(url).catch(() => undefined);
    }
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: the server answered ${response.status}; reload the page, or look whether it is whole`);
  const copy = response.clone();
  const memory = await start(response, progress).catch((error) => {
    throw new Error(`${url} came damaged; reload the page`, { cause: error });
  });
  if (cache) void keep(cache, copy).catch(() => undefined);
  return memory;
}

const opened = async () => globalThis.caches?.open(CACHE);

/** Its name changes with its content: what is there is of an older page. */
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
