/** The one state that is kept in this browser (its origin private file system), whole or not at all. */

const NAME = "session.zip";

/** The root, where there is one: not on a page that came over plain http. */
const root = async (): Promise<FileSystemDirectoryHandle | undefined> => navigator.storage?.getDirectory?.();

/** Replaces what is kept: the file system swaps the new content in when it is closed. */
export async function keep(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const directory = await root();
  if (!directory) throw new Error("it lends pages that came this way no storage");
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

export async function forget(): Promise<void> {
  await (await root())?.removeEntry(NAME).catch(() => undefined);
}
