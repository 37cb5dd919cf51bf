// Builds ftrace records and rings of any machine, knowing nothing of the code under test.

export interface BuiltRecord {
  cpu: number;
  ts: bigint;
  ip: bigint;
  parent: bigint;
}

export type Machine = '64' | '32' | 'arm' | 'thumb';

export function ftraceBytes(record: BuiltRecord, machine: Machine, little = true): Uint8Array {
  const word = machine === '64' ? 8 : 4;
  const bytes = new Uint8Array(2 * word + 8);
  const view = new DataView(bytes.buffer);
  const inIp = machine === 'arm' || machine === 'thumb';
  const ip = inIp ? record.ip | BigInt(record.cpu) : record.ip;
  const ts = inIp ? record.ts : (record.ts << 8n) | BigInt(record.cpu);
  if (word === 8) {
    view.setBigUint64(0, ip, little);
    view.setBigUint64(8, record.parent, little);
  } else {
    view.setUint32(0, Number(ip), little);
    view.setUint32(4, Number(record.parent), little);
  }
  view.setBigUint64(2 * word, ts, little);
  return bytes;
}

/** One after the other. */
export function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
