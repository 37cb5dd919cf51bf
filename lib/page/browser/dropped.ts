// What was dropped on the page or chosen in it: files, and folders with their files.

/** One file, or a folder of them. */
export type Dropped = DroppedFile | DroppedFolder;

export interface DroppedFile {
  /** Its name; in a folder its path from there on. */
  readonly name: string;
  readonly file: File;
}

export interface DroppedFolder {
  readonly name: string;
  /** Those of its folders, too, but not of theirs. */
  readonly files: readonly DroppedFile[];
}

/** More files than any folder of records has. */
const MAX_FILES = 65_536;

/** Folders are given only while the event lasts: they are asked for at once. */
export async function droppedOf(transfer: DataTransfer | null): Promise<Dropped[]> {
  const items = Array.from(transfer?.items ?? []).filter(({ kind }) => kind === 'file');
  const found = items.map((item) => ({ place: placeOf(item), file: item.getAsFile() }));
  const all: Dropped[] = [];
  for (const { place, file } of found) {
    const folder = await place;
    if (folder?.inside) all.push({ name: folder.name, files: await filesIn(folder.inside) });
    else if (file) all.push({ name: file.name, file });
  }
  return all;
}

/** Of an input for files, or for a folder, whose files have paths that begin with its name. */
export function chosenOf(files: Iterable<File>): Dropped[] {
  const folders = new Map<string, DroppedFile[]>();
  const all: Dropped[] = [];
  for (const file of files) {
    const [folder, ...rest] = file.webkitRelativePath.split('/');
    if (rest.length === 0) all.push({ name: file.name, file });
    else if (rest.length <= 2) {
      const inside = folders.get(folder!) ?? [];
      folders.set(folder!, inside);
      inside.push({ name: rest.join('/'), file });
    }
  }
  for (const [name, inside] of folders) all.push({ name, files: inside });
  return all;
}

/** What stands in a file system. */
interface Place {
  readonly name: string;
  readonly file?: () => Promise<File>;
  readonly inside?: () => AsyncIterable<Place>;
}

async function filesIn(inside: () => AsyncIterable<Place>): Promise<DroppedFile[]> {
  const files: DroppedFile[] = [];
  const add = async (name: string, { file }: Place) => {
    if (file && files.length < MAX_FILES) files.push({ name, file: await file() });
  };
  for await (const place of inside()) {
    await add(place.name, place);
    if (place.inside) for await (const inner of place.inside()) await add(`${place.name}/${inner.name}`, inner);
  }
  return files;
}

/** Only the newer way can look into a folder where the page itself was opened from the disk; not all browsers have it. */
async function placeOf(item: DataTransferItem): Promise<Place | null> {
  const newer = item as DataTransferItem & { getAsFileSystemHandle?(): Promise<FileSystemHandle | null> };
  if (newer.getAsFileSystemHandle) {
    const handle = await newer.getAsFileSystemHandle();
    return handle && placeOfHandle(handle);
  }
  const entry = item.webkitGetAsEntry();
  return entry && placeOfEntry(entry);
}

function placeOfHandle(handle: FileSystemHandle): Place {
  const { name } = handle;
  if (handle.kind === 'file') return { name, file: () => (handle as FileSystemFileHandle).getFile() };
  return {
    name,
    inside: async function* () {
      for await (const inner of (handle as FileSystemDirectoryHandle).values()) yield placeOfHandle(inner);
    },
  };
}

function placeOfEntry(entry: FileSystemEntry): Place {
  const { name } = entry;
  if (entry.isFile) {
    return { name, file: () => new Promise((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)) };
  }
  return {
    name,
    inside: async function* () {
      const reader = (entry as FileSystemDirectoryEntry).createReader();
      for (;;) {
        // A reader gives some of them at a time, and in the end none.
        const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
        if (some.length === 0) return;
        for (const inner of some) yield placeOfEntry(inner);
      }
    },
  };
}
