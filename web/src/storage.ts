/** Saved state of a training, one for this browser, in its origin private file system; written atomically. */

const NAME = "session.zip";

/** Root directory; `undefined` on a page served over http, or if the browser gives the page no storage. */
const root = async (): Promise<FileSystemDirectoryHandle | undefined> =>
  navigator.storage?.getDirectory?.().catch(() => undefined);

/** True if this tab writes the saved state: one tab at a time does, the first one, and after it is closed the next. */
let keeps = navigator.locks === undefined;
void navigator.locks?.request("ssft-keeps", () => {
  keeps = true;
  return new Promise(() => undefined);
});

/** Replaces the saved state. The file system swaps in the new content when the file is closed. */
export async function keep(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  if (!keeps) throw new Error("another tab of this page keeps its training there");
  const directory = await root();
  if (!directory) throw new Error("the browser gives this page no storage");
  const file = await directory.getFileHandle(NAME, { create: true });
  const out = await file.createWritable();
  await out.write(bytes);
  await out.close();
}

/** The saved state; `null` if there is none. */
export async function kept(): Promise<Uint8Array | null> {
  try {
    const file = await (await (await root())?.getFileHandle(NAME))?.getFile();
    if (!file) return null;
    return file.size > 0 ? new Uint8Array(await file.arrayBuffer()) : null;
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return null;
    throw error;
  }
}
