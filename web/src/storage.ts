/** The one state that is kept in this browser (its origin private file system), whole or not at all. */

const NAME = "session.zip";

/** The root, where there is one: not on a page that came over plain http, and not where the browser lends no storage. */
const root = async (): Promise<FileSystemDirectoryHandle | undefined> =>
  navigator.storage?.getDirectory?.().catch(() => undefined);

/** There is one kept state, and one tab at a time that writes it: the first, and when that is closed the next. */
let keeps = navigator.locks === undefined;
void navigator.locks?.request("ssft-keeps", () => {
  keeps = true;
  return new Promise(() => undefined);
});

/** Replaces what is kept: the file system swaps the new content in when it is closed. */
export async function keep(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  if (!keeps) throw new Error("another tab of this page keeps its training there");
  const directory = await root();
  if (!directory) throw new Error("it lends this page no storage");
  const file = await directory.getFileHandle(NAME, { create: true });
  const out = await file.createWritable();
  await out.write(bytes);
  await out.close();
}

/** What is kept, if anything is. */
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
