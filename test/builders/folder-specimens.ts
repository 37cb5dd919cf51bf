// One healthy folder or more of every kind that reads folders: what the contract of folders is checked on. A new kind of
// folder adds its own here.

import { CRASH, efivarfsFile, GLOBAL } from './efi.js';
import { cperRecord } from './erst.js';
import { dumpBytes, FSPDUMP, SYSDUMP } from './platform-dump.js';

export interface FolderSpecimen {
  /** The kind that recognises it. */
  readonly kind: string;
  readonly name: string;
  /** By their names, with `/` behind the name of an inner folder. */
  readonly files: Readonly<Record<string, Uint8Array>>;
}

const PART = (part: number) => `dump-type0-${part}-1-1640995208-D`;
const DATA = (part: number) => `Oops#1 Part${part}\n<6>[    1.000000] part ${part} of a log\n`;
const VARIABLE = (name: string, guid = CRASH) => `${name}-${guid}`;
const CPER = (id: bigint) => cperRecord({ id, data: `Oops#1 Part1\n<6>[    ${id}.000000] a log\n` });

export const FOLDER_SPECIMENS: readonly FolderSpecimen[] = [
  {
    kind: 'efi',
    name: 'efivarfs',
    files: {
      [VARIABLE('BootOrder', GLOBAL)]: efivarfsFile({ name: 'BootOrder', guid: GLOBAL, data: '\0\0' }),
      [VARIABLE(PART(1))]: efivarfsFile({ name: PART(1), data: DATA(1) }),
      [VARIABLE(PART(2))]: efivarfsFile({ name: PART(2), data: DATA(2) }),
    },
  },
  {
    kind: 'efi',
    name: 'the old sysfs',
    files: {
      [`${VARIABLE(PART(1))}/data`]: Buffer.from(DATA(1)),
      [`${VARIABLE(PART(2))}/data`]: Buffer.from(DATA(2)),
    },
  },
  { kind: 'erst', name: 'CPER records', files: { 'record-1': CPER(1n), 'record-2': CPER(2n) } },
  {
    kind: 'platform-dump',
    name: 'saved dumps',
    files: { [SYSDUMP]: dumpBytes({ name: SYSDUMP }), [FSPDUMP]: dumpBytes({ name: FSPDUMP, data: 5000 }) },
  },
];
