// A backend as a source with these keys shows it: what stands above every backend is put above this one.

import type { Backend } from '../../lib/pstore/backend.js';
import { withSalvage } from '../../lib/pstore/salvage.js';

/** The backend itself, or with the key salvage what is salvaged, too. */
export function asShown(backend: Backend, keys: Readonly<Record<string, unknown>>): Backend {
  return keys.salvage === undefined || keys.salvage === false ? backend : withSalvage(backend);
}
