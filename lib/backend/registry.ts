// All kinds of backends. A new one is one line here.

import type { BackendKind } from './kind.js';

export const KINDS: readonly BackendKind[] = [];

export function kindNamed(name: string): BackendKind | undefined {
  return KINDS.find((kind) => kind.name === name);
}
