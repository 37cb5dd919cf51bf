// A backend with what a mount says of it.

import type { Backend } from '../pstore/backend.js';

export interface Mounted {
  readonly backend: Backend;
  /** Name of its directory: unique. */
  readonly label: string;
  /** First byte of the source in its file: offsets of records count from there. 0 where it is not given. */
  readonly base?: number;
  /** Whether refresh() looks at it, as by default: of others the state at mount is shown. */
  readonly isLive?: boolean;
}
