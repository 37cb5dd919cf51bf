// How sure a kind is that a storage is one of its own; 0 where it has recognised nothing.

import type { BackendKind } from '../../lib/pstore/kind.js';
import type { Storage } from '../../lib/storage/storage.js';
import { SurvivingStorage } from '../../lib/storage/surviving.js';

export function howSure(kind: BackendKind, storage: Storage): number {
  return kind.probe(SurvivingStorage.over(storage))?.sure ?? 0;
}
