/** The one state that is kept in this browser (its origin private file system), whole or not at all. */

const NAME = "session.zip";

/** Replaces what is kept: the file system swaps the new content in when it is closed. */
export async function keep(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const root = await navigator.storage.getDirectory();
  const file = await root.getFileHandle(NAME, { create: true });
  const out = await file.createWritable();
  await out.write(bytes);
  await out.close();
}

/** What is kept, if anything is. */
export async function kept(): Promise<Uint8Array | null> {
  try {
    const root = await navigator.storage.getDirectory();
    const file = await (await root.getFileHandle(NAME)).getFile();
    return file.size > 0 ? new Uint8Array(await file.arrayBuffer()) : null;
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return null;
    throw error;
  }
}

export async function forget(): Promise<void> {
  const root = await navigator.storage.getDirectory();
  await root.removeEntry(NAME).catch(() => undefined);
}
