// CPER records and QEMU's ERST file, made from their parts.

import { guid } from './efi.js';

export const SECTION = {
  dmesg: 'c197e04e-d545-4a70-9c17-a5549419eb12',
  dmesgZ: '4f118707-04dd-4055-b5dd-956d34ddfac6',
  mce: 'fe08ffbe-95e4-4be7-bc73-4096044a38fc',
} as const;
const LINUX = '75a574e3-5052-4b29-8a8e-be2c6490b89d';

export interface PlannedCper {
  readonly id: bigint;
  readonly data: string | Uint8Array;
  readonly section?: string;
  readonly creator?: string;
  /** null: the time stamp is not valid. */
  readonly seconds?: bigint | null;
  /** As the header says. */
  readonly length?: number;
}

export function cperRecord(plan: PlannedCper): Buffer {
  const { id, section = SECTION.dmesg, creator = LINUX, seconds = 1_640_995_200n } = plan;
  const data = typeof plan.data === 'string' ? Buffer.from(plan.data, 'latin1') : Buffer.from(plan.data);
  const head = Buffer.alloc(200);
  head.write('CPER');
  head.writeUInt16LE(0x0100, 4);
  head.writeUInt32LE(0xffffffff, 6);
  head.writeUInt16LE(1, 10);
  head.writeUInt32LE(1, 12);
  head.writeUInt32LE(seconds === null ? 0 : 2, 16);
  head.writeUInt32LE(plan.length ?? 200 + data.length, 20);
  head.writeBigUInt64LE(seconds ?? 0n, 24);
  head.set(guid(creator), 64);
  head.writeBigUInt64LE(id, 96);
  head.writeUInt32LE(200, 128);
  head.writeUInt32LE(data.length, 132);
  head.set(guid(section), 144);
  return Buffer.concat([head, data]);
}

export interface PlannedSlot {
  readonly record: PlannedCper;
  /** The map has forgotten it. */
  readonly erased?: boolean;
  /** What the map has, where that is not the record's own. */
  readonly mapId?: bigint;
}

export function erstFile(plans: readonly (PlannedSlot | null)[], recordSize = 8192, slots = 8): Buffer {
  const file = Buffer.alloc(recordSize * slots);
  const first = Math.ceil((24 + 8 * slots) / recordSize);
  file.write('ERSTSTOR');
  file.writeUInt32LE(recordSize, 8);
  file.writeUInt32LE(first * recordSize, 12);
  file.writeUInt16LE(0x0100, 16);
  file.writeUInt32LE(plans.filter((slot) => slot && !slot.erased).length, 20);
  for (const [i, plan] of plans.entries()) {
    if (!plan) continue;
    const slot = first + i;
    if (!plan.erased) file.writeBigUInt64LE(plan.mapId ?? plan.record.id, 24 + 8 * slot);
    file.fill(0xff, slot * recordSize, (slot + 1) * recordSize);
    file.set(cperRecord(plan.record).subarray(0, recordSize), slot * recordSize);
  }
  return file;
}
