// Files and folders of saved variables, and VMware's store: what stands in them cannot be erased by a byte.

import { PstoreError } from '../errors.js';
import { Extent, type Piece } from '../storage/extent.js';
import { type Folder, type FolderFile, KnownFiles, type LeftOut, LeftOutNames } from '../storage/folder.js';
import { FolderFileStorage } from '../storage/folder-file.js';
import { readRange, type Storage } from '../storage/storage.js';
import { CRASH_GUID, dumpNameInFile } from './dump-name.js';
import { type FoundDump, FoundVariables, type Listing, MAX_DUMPS, tooMany, type VariablePlace } from './place.js';
import { ATTRIBUTES_SIZE, MAX_SAVED, readBare, readSaved, type SavedVariables } from './saved.js';
import { type EfiVariable, printableName } from './variable.js';
import type { VmwareStore } from './vmware.js';

/** A file whose variables were read when it was opened. */
export class SavedFile implements VariablePlace {
  readonly format: string;
  readonly details = {};
  readonly whyNotErased: string;
  readonly #storage: Storage;
  readonly #listing: Listing;

  constructor(storage: Storage, { format, variables, damage }: SavedVariables) {
    this.#storage = storage;
    this.format = format;
    this.whyNotErased = 'it is a copy: remove the file itself when it is not needed any more';
    this.#listing = listingOf(variables, damage);
  }

  list(): Listing {
    return this.#listing;
  }

  erase(): void {}

  close(): void {
    this.#storage.close();
  }
}

export class VmwareFile implements VariablePlace {
  readonly format = "VMware's NVRAM";
  readonly details: Readonly<Record<string, string>>;
  readonly whyNotErased =
    'a record of it has no state that could be changed: start the machine, and let its own kernel remove the file';
  readonly #storage: Storage;
  readonly #listing: Listing;

  constructor(storage: Storage, { variables, offset, size, end, damage }: VmwareStore) {
    this.#storage = storage;
    this.details = { store: `${size} bytes from offset ${offset} on, ${end - offset} of them in use` };
    this.#listing = listingOf(variables, damage);
  }

  list(): Listing {
    return this.#listing;
  }

  erase(): void {}

  close(): void {
    this.#storage.close();
  }
}

function listingOf({ dumps, others }: FoundVariables, damage: string | null): Listing {
  return {
    dumps: dumps.map((variable) => ({ variable, hidden: null, isStray: false })),
    others,
    space: null,
    damages: [...(damage === null ? [] : [damage]), ...(dumps.length < MAX_DUMPS ? [] : [tooMany])].map((text) => ({
      text,
      offset: null,
    })),
  };
}

// ── folders ──

/** `<name>-<GUID>`: how efivarfs and the old sysfs name a variable. */
const VARIABLE_FILE = /^(.+)-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/i;
/** The old sysfs has a folder for each variable, with its data in a file of this name. */
const SYSFS_DATA = 'data';
const SYSFS_FILES: ReadonlySet<string> = new Set([SYSFS_DATA, 'attributes', 'size', 'guid', 'raw_var']);
/** Files of other names that a look at a folder opens, to see whether they are exports. */
const MAX_OPENED = MAX_DUMPS;
/** efivarfs writes a `/` of a variable's name so. */
const SLASH = '!';

/** What a name alone says of a file. */
type FileKind = 'variable' | 'sysfs' | 'sysfs-other' | 'other';

function kindOf(name: string): { kind: FileKind; variable: string; guid: string } {
  const [first = '', second] = name.split('/');
  const match = VARIABLE_FILE.exec(first);
  if (!match) return { kind: 'other', variable: '', guid: '' };
  const kind: FileKind = second === undefined ? 'variable' : second === SYSFS_DATA ? 'sysfs' : 'sysfs-other';
  return { kind, variable: match[1]!.replaceAll(SLASH, '/'), guid: match[2]!.toLowerCase() };
}

/** GUIDs of variables that every firmware has: a folder with them is one of variables, with dumps or without. */
const GLOBAL_GUID = '8be4df61-93ca-11d2-aa0d-00e098032b8c';

/** How sure a look at a folder is that it holds variables. */
export function probeFolder(folder: Folder): number {
  let [opened, isLeftOut] = [0, false];
  for (const file of folder.files((name) => (isLeftOut ||= isNamedAsDump(name)))) {
    const { guid } = kindOf(file.name);
    if (guid === CRASH_GUID || guid === GLOBAL_GUID) return 1;
    if (guid === '' && !file.name.includes('/') && opened++ < PROBED && isSavedIn(folder, file)) return 0.9;
  }
  // Links to dumps: whoever opens the folder tells that they are not followed.
  return isLeftOut ? 0.9 : 0;
}

/** What cannot be read is told by whoever opens the folder. */
function isSavedIn(folder: Folder, file: FolderFile): boolean {
  try {
    return savedIn(folder, file) !== undefined;
  } catch (error) {
    if (error instanceof PstoreError) return false;
    throw error;
  }
}

/** Whether the name alone says that a dump stands there. */
function isNamedAsDump(name: string): boolean {
  return kindOf(name).guid === CRASH_GUID || dumpNameInFile(name) !== undefined;
}

/** Files of other names that a probe opens. */
const PROBED = 64;

/** What a file holds by its bytes alone, where that is a dump at least. */
function exportedIn(storage: Storage): SavedVariables | undefined {
  const saved = readSaved(storage, '');
  return saved && saved.variables.dumps.length > 0 ? withoutBytes(saved, storage) : undefined;
}

/** What a file with an unknown name holds, where that is a dump at least. @throws PstoreError ENOENT, EACCES, EIO */
function savedIn(folder: Folder, file: FolderFile): SavedVariables | undefined {
  if (file.size === 0 || file.size > MAX_SAVED) return undefined;
  const storage = new FolderFileStorage(folder, file, MAX_SAVED);
  const saved = readSaved(storage, file.name.split('/').at(-1)!);
  return saved && saved.variables.dumps.length > 0 ? withoutBytes(saved, storage) : undefined;
}

/** Bytes of a file that are kept: it takes as many on its disk at least. */
const MAX_KEPT = 4096;

/** What a file holds, but data of a large one are read again when somebody asks for them. */
function withoutBytes(saved: SavedVariables, storage: Storage): SavedVariables {
  if (storage.size <= MAX_KEPT || !saved.isVerbatim) return saved;
  const dumps = saved.variables.dumps.map((dump) => ({ ...dump, data: pieceIn(storage, dump.data) }));
  return { ...saved, variables: FoundVariables.of(dumps, saved.variables.others) };
}

/** The file is one variable: of a large one only its beginning is read. */
function readBareIn(storage: Storage, name: string, mayHaveAttributes: boolean): SavedVariables {
  if (storage.size <= MAX_KEPT) return readBare(readRange(storage, 0, storage.size), name, mayHaveAttributes);
  const saved = readBare(readRange(storage, 0, ATTRIBUTES_SIZE), name, mayHaveAttributes);
  const toEnd = (dump: EfiVariable) => {
    const at = ATTRIBUTES_SIZE - dump.data.length;
    return { ...dump, size: storage.size, data: Extent.at(storage, at, storage.size - at) };
  };
  return { ...saved, variables: FoundVariables.of(saved.variables.dumps.map(toEnd), 0) };
}

/** Where data stand in a file that was read as a whole: they are a part of its bytes. */
function pieceIn(storage: Storage, data: Piece): Piece {
  return data instanceof Uint8Array ? Extent.at(storage, data.byteOffset, data.length) : data;
}

function tooLarge({ size }: FolderFile, kind: FileKind): string {
  const what = kind === 'other' ? 'it is not read' : `only the first ${MAX_SAVED} are shown`;
  return `has ${size} bytes, which no variable has: ${what}`;
}

export class VariableFolder implements VariablePlace {
  readonly format = 'a folder of variables';
  readonly details = {};
  readonly whyNotErased = null;
  readonly #folder: Folder;
  /** What each file held when it was read last. */
  readonly #known = new KnownFiles<SavedVariables | undefined>();

  constructor(folder: Folder) {
    this.#folder = folder;
  }

  list(): Listing {
    const dumps: FoundDump[] = [];
    const damages: Listing['damages'][number][] = [];
    const tell = (text: string) => damages.push({ text, offset: null });
    const left = new LeftOutNames();
    const leftOut: LeftOut = (name, why, isFolder) => {
      if (isFolder || isNamedAsDump(name)) left.add(name, why);
    };
    let [others, opened] = [0, 0];
    const files = this.#folder.files(leftOut);
    this.#known.keep(files);
    for (const file of files) {
      const { kind, variable, guid } = kindOf(file.name);
      if (kind === 'sysfs-other' || (kind === 'other' && SYSFS_FILES.has(file.name.split('/')[1] ?? ''))) continue;
      if (kind !== 'other' && guid !== CRASH_GUID) {
        others++;
        continue;
      }
      if (kind === 'other' && opened++ >= MAX_OPENED) continue;
      if (file.size > MAX_SAVED && isNamedAsDump(file.name))
        tell(`${printableName(file.name)} ${tooLarge(file, kind)}`);
      const { found, trouble } = this.#read(file, kind, variable);
      if (trouble !== null) tell(trouble);
      if (!found) continue;
      if (found.damage !== null) tell(`${printableName(file.name)}: ${found.damage}`);
      others += found.variables.others;
      for (const one of found.variables.dumps) {
        if (dumps.length < MAX_DUMPS) dumps.push({ variable: one, hidden: null, isStray: false, file });
      }
    }
    left.told().forEach(tell);
    if (dumps.length >= MAX_DUMPS) tell(tooMany);
    if (opened > MAX_OPENED)
      tell(`of its files with other names only the first ${MAX_OPENED} of ${opened} are looked into`);
    return { dumps, others, space: null, damages };
  }

  #read(file: FolderFile, kind: FileKind, name: string): { found: SavedVariables | undefined; trouble: string | null } {
    try {
      return { found: this.#known.of(file, () => this.#open(file, kind, name)), trouble: null };
    } catch (error) {
      if (!(error instanceof PstoreError)) throw error;
      return { found: undefined, trouble: error.message };
    }
  }

  #open(file: FolderFile, kind: FileKind, name: string): SavedVariables | undefined {
    if (kind === 'other') return savedIn(this.#folder, file);
    const storage = new FolderFileStorage(this.#folder, file, MAX_SAVED);
    // An export may have the variable's name, too. The old sysfs has no attributes in front of the data, whatever these
    // begin with.
    const exported = kind === 'variable' ? exportedIn(storage) : undefined;
    return exported ?? readBareIn(storage, name, kind !== 'sysfs');
  }

  /** The file is the variable: without it the firmware's own is erased, too, where the folder is efivarfs. */
  erase({ file, variable }: FoundDump): void {
    const path = `${this.#folder.path}/${printableName(file!.name)}`;
    if (file!.name.includes('/')) {
      throw new PstoreError(
        'EPERM',
        `${path}: this file does not remove the variable ${printableName(variable.name)}; on a running machine write its raw_var to del_var, or mount efivarfs`,
        { path: this.#folder.path },
      );
    }
    const count = this.#known.of(file!, () => undefined)?.variables.count ?? 1;
    if (count !== 1) {
      const what = `${path} holds ${count} variables, of which ${printableName(variable.name)} is only one`;
      throw new PstoreError('EPERM', `${what}: remove the file itself when it is not needed any more`, {
        path: this.#folder.path,
      });
    }
    this.#folder.remove(file!);
  }

  close(): void {}
}
