// Which dumps are kept, by the keys that are parameters of the kernel's modules.

import type { SourceKeys } from './keys.js';
import { Reason } from './record-type.js';

/** include/linux/kmsg_dump.h: KMSG_DUMP_MAX, with which all reasons are kept. */
const MAX_REASON = 5;

/**
 * The highest reason that is kept. fs/pstore/ram.c: dump_oops is the old parameter, for oopses and panics, or panics
 * only. max_reason=0 leaves it to printk.always_kmsg_dump, which is off unless somebody turns it on: kmsg_dump() then
 * takes oopses and panics.
 */
export function maxReasonOf(keys: SourceKeys): number {
  const old = keys.has('dump_oops') ? (keys.flag('dump_oops') ? Reason.Oops : Reason.Panic) : Reason.Shutdown;
  return givenMaxReason(keys) ?? old;
}

/** What max_reason= alone says. */
export function givenMaxReason(keys: SourceKeys): number | undefined {
  const given = keys.number('max_reason', Reason.Undef, MAX_REASON);
  if (given === undefined) return undefined;
  return given === Reason.Undef ? Reason.Oops : Math.min(given, Reason.Shutdown);
}
