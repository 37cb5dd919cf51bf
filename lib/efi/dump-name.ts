// Names of the variables that Linux's efi-pstore writes, and what the kernel reads in them.

import { guidBytes } from '../guid.js';

/** Vendor GUID of the crash variables (include/linux/efi.h, LINUX_EFI_CRASH_GUID). */
export const CRASH_GUID = 'cfc8fc79-be2e-4ddc-97f0-9f98bfe298a0';
export const CRASH_GUID_BYTES: Uint8Array = guidBytes(CRASH_GUID);

/** A name taken apart as drivers/firmware/efi/efi-pstore.c does (efi_pstore_read_func). */
export interface DumpName {
  /** First part of the file name: `dmesg`, …; `unknown` for a number that no front-end has. */
  readonly type: string;
  /** Counts from 1 at the end of the log. */
  readonly part: number;
  /** Number of the dump in its boot, from 1; 0 where the name has none. */
  readonly count: number;
  /** Seconds since 1970. */
  readonly seconds: bigint;
  readonly compressed: boolean;
  /** 64 bits without a sign: the last part of the file name. */
  readonly id: bigint;
}

/** include/linux/pstore.h, enum pstore_type_id, with the names of fs/pstore/platform.c. */
export const RECORD_TYPES = [
  'dmesg',
  'mce',
  'console',
  'ftrace',
  'rtas',
  'powerpc-ofw',
  'powerpc-common',
  'pmsg',
  'powerpc-opal',
] as const;

/** What the kernel's sscanf() skips before a number. */
const SPACE = '[ \\t\\n\\v\\f\\r]*';
const UNSIGNED = `${SPACE}([0-9]+)`;
const SIGNED = `${SPACE}(-?[0-9]+)`;
const FRONT = `^dump-type${UNSIGNED}-${UNSIGNED}-`;
/** Linux 3.12 and later, 3.8 to 3.11, 3.1 to 3.7: the kernel tries them in this order, and minds nothing after them. */
const WITH_LETTER = new RegExp(`${FRONT}${SIGNED}-${SIGNED}-([^])`);
const WITH_COUNT = new RegExp(`${FRONT}${SIGNED}-${SIGNED}`);
const OLDEST = new RegExp(`${FRONT}${SIGNED}`);

/** @returns undefined for a name that no kernel takes for a dump's */
export function parseDumpName(name: string): DumpName | undefined {
  const counted = WITH_LETTER.exec(name) ?? WITH_COUNT.exec(name);
  if (counted) {
    const [, type, part, count, seconds, letter] = counted;
    return dumpName(type!, part!, count!, seconds!, letter === 'C');
  }
  const oldest = OLDEST.exec(name);
  return oldest ? dumpName(oldest[1]!, oldest[2]!, '0', oldest[3]!, false) : undefined;
}

/** The numbers are cut to the width of the kernel's variables, as its sscanf() does. */
function dumpName(type: string, part: string, count: string, seconds: string, compressed: boolean): DumpName {
  const partNumber = BigInt.asUintN(32, BigInt(part));
  const countNumber = BigInt.asIntN(32, BigInt(count));
  const time = BigInt.asIntN(64, BigInt(seconds));
  return {
    type: RECORD_TYPES[Number(BigInt.asUintN(32, BigInt(type)))] ?? 'unknown',
    part: Number(partNumber),
    count: Number(countNumber),
    seconds: time,
    compressed,
    id: BigInt.asUintN(64, (time * 100n + partNumber) * 1000n + countNumber),
  };
}

/** How file names write a variable of the crash GUID, with anything in front of it. */
const IN_FILE_NAME = /dump-type[0-9]+-[0-9]+-[0-9-]*[0-9](?:-[A-Z](?![A-Za-z]))?/;

/**
 * The dump's name in the name of a file that somebody has saved: `pstore-0-dump-type0-1-1-1640995208-C.bin`.
 * @returns undefined where there is none
 */
export function dumpNameInFile(fileName: string): string | undefined {
  return IN_FILE_NAME.exec(fileName)?.[0];
}
