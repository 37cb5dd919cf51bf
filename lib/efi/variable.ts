// What an EFI variable is, wherever it was found.

import { printable } from '../printable.js';
import type { Piece } from '../storage/extent.js';

/** UEFI specification, "Runtime Services", attributes of a variable; a dump of Linux has these three. */
const Attribute = { NonVolatile: 1, BootService: 2, Runtime: 4 } as const;
export const DUMP_ATTRIBUTES = Attribute.NonVolatile | Attribute.BootService | Attribute.Runtime;

/**
 * What the state of a record means (edk2 VariableFormat.h: bits are only ever cleared).
 * `live`: the firmware shows it; `replaced`: it is live, but a newer copy of it is live too, or was being written;
 * `erased`; `unfinished`: the header was declared valid, the data were not; `torn`: not even the header was;
 * `damaged`: a value that no firmware writes.
 */
export type VariableState = 'live' | 'replaced' | 'erased' | 'unfinished' | 'torn' | 'damaged';

export interface EfiVariable {
  /** As it stands in the store, without its NUL. */
  readonly name: string;
  /** Whether its vendor GUID is that of Linux's dumps. */
  readonly isDump: boolean;
  readonly attributes: number;
  readonly state: VariableState;
  /** First byte of the record in the source. */
  readonly offset: number;
  /** Bytes of the record, its header included; what only aligns the next one is not. */
  readonly size: number;
  /** The first bytes of the record up to its data, state byte included: they tell whether it is still the same one. */
  readonly head: Uint8Array;
  readonly data: Piece;
}

/** Longest name, in bytes with its NUL, that is taken for one: firmware accepts a few hundred. */
export const MAX_NAME_SIZE = 2048;

/** Made at first use: a start snapshot cannot hold one. */
let decoder: InstanceType<typeof TextDecoder> | undefined;

/**
 * A name of UTF-16LE that ends with NUL.
 * @returns undefined where it is none: of an odd length, without its NUL, or with a NUL inside
 */
export function readName(bytes: Uint8Array): string | undefined {
  if (bytes.length < 4 || bytes.length % 2 !== 0 || bytes.length > MAX_NAME_SIZE) return undefined;
  decoder ??= new TextDecoder('utf-16le');
  const name = decoder.decode(bytes);
  return name.indexOf('\0') === name.length - 1 ? name.slice(0, -1) : undefined;
}

/** A name as a person may be shown it. */
export function printableName(name: string): string {
  return printable(new TextEncoder().encode(name));
}
