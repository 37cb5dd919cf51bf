// Folders whose names begin with a dot: the records of all sources seen in another way.

import { type Backend, MAX_BACKENDS } from '../pstore/backend.js';
import { ErasedRecords } from '../pstore/erased-records.js';
import { JoinedView } from '../pstore/joined.js';

/** What a view of a backend has beside what every backend has. */
export interface Seen extends Backend {
  /** What the backend shows has changed. */
  refresh(): boolean;
}

export interface View {
  /** Of the folder. */
  readonly name: string;
  readonly ino: number;
  /** One for each source. */
  readonly backends: readonly Seen[];
}

/** Inode numbers of folders: the root's, then one for each source, then these. */
export const FIRST_DIRECTORY_INO = 2;
const JOINED_INO = FIRST_DIRECTORY_INO + MAX_BACKENDS;
const ERASED_INO = JOINED_INO + 1;
export const FIRST_RECORD_INO = ERASED_INO + 1;

/** The views that were asked for. */
export function viewsOf(
  backends: readonly Backend[],
  { joined = false, erased = false }: { readonly joined?: boolean | undefined; readonly erased?: boolean | undefined },
): View[] {
  const make = (name: string, ino: number, of: (backend: Backend) => Seen) => ({
    name,
    ino,
    backends: backends.map(of),
  });
  return [
    ...(joined ? [make('.joined', JOINED_INO, (backend) => new JoinedView(backend))] : []),
    ...(erased ? [make('.erased', ERASED_INO, (backend) => new ErasedRecords(backend))] : []),
  ];
}
