// A kind that finds out what a file is in one function, for recognising it and for opening it.

import { PstoreError } from '../errors.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import type { Backend } from './backend.js';
import type { BackendKind, OpenContext } from './kind.js';

/** What a file was recognised as. */
export interface Recognised<Place> {
  /** Above 0, and 1 where it can be nothing else. */
  readonly sure: number;
  /** @throws PstoreError ENOTSUP for what is known but not read */
  place(): Place;
}

interface Recognising<Place> {
  /** @param most a larger file is not searched */
  recognise(storage: SurvivingStorage, most: number): Recognised<Place> | undefined;
  open(place: Place, context: OpenContext, isWritable: boolean): Backend;
  /** Bytes. A larger file is searched only where somebody says that it is of this kind. */
  readonly maxProbed: number;
  /** What is said of a file that is none. */
  readonly refusal: string;
}

export function probeAndOpen<Place>(kind: Recognising<Place>): Pick<BackendKind, 'probe' | 'open'> {
  const { recognise, open, maxProbed, refusal } = kind;
  const openFound = (context: OpenContext, found: Recognised<Place>) =>
    open(found.place(), context, context.storage.writable);
  return {
    probe: (storage) => {
      const found = recognise(storage, maxProbed);
      return found && { sure: found.sure, open: (context) => openFound(context, found) };
    },
    open: (context) => {
      const { storage, path } = context;
      const found = recognise(storage, Number.POSITIVE_INFINITY);
      if (!found) throw new PstoreError('EBADMSG', `${path}: ${refusal}`, { path, offset: 0 });
      return openFound(context, found);
    },
  };
}
