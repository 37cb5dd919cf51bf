// What a transport is: it puts a tree under a mount point, and nothing more.

import type { Deadlines } from './deadlines.js';
import type { MountOptions } from './options.js';

export interface ServeOptions {
  /** Absolute and real. */
  readonly mountPoint: string;
  /** What stands as the source in /proc/mounts. */
  readonly fsname: string;
  readonly readOnly: boolean;
  /** Milliseconds after which headers are read again; 0: never. */
  readonly updateMs: number;
  readonly mount: MountOptions;
  /** What else is to be done while it serves. */
  readonly deadlines: Deadlines;
  /** Called once, when the mount answers. */
  readonly onReady: () => void;
  /** Called at every request, or at most once a second: somebody uses the mount. */
  readonly onActivity: () => void;
  /** A line for the person who runs it: a fault that no caller gets to see. */
  readonly log: (line: string) => void;
  /** Takes a line about each request, with `-d`. */
  readonly debug: ((line: string) => void) | undefined;
}
