// struct mce: what x86 kernels keep of a machine check. Facts: arch/x86/include/uapi/asm/mce.h (Linux 6.12: 128 bytes,
// only ever extended at its end); Intel SDM volume 3, "Machine-Check Architecture", for the bits of the status.

import { timeOfSeconds } from '../pstore/record.js';

export interface MachineCheck {
  readonly status: bigint;
  readonly misc: bigint;
  readonly address: bigint;
  readonly mcgStatus: bigint;
  /** Instruction pointer, 0 where it is not known. */
  readonly ip: bigint;
  /** Seconds since 1970. */
  readonly seconds: bigint;
  readonly bank: number;
  readonly cpu: number;
  readonly socket: number;
}

const STATUS_AT = 0;
const MISC_AT = 8;
const ADDRESS_AT = 16;
const MCG_STATUS_AT = 24;
const IP_AT = 32;
const TIME_AT = 48;
const BANK_AT = 65;
const CPU_AT = 68;
const SOCKET_AT = 72;
/** Fields up to the socket: kernels since 2.6.32 have at least these. */
const MIN_SIZE = 76;

/** @returns undefined where fewer bytes are there than any kernel wrote */
export function readMachineCheck(bytes: Uint8Array): MachineCheck | undefined {
  if (bytes.length < MIN_SIZE) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    status: view.getBigUint64(STATUS_AT, true),
    misc: view.getBigUint64(MISC_AT, true),
    address: view.getBigUint64(ADDRESS_AT, true),
    mcgStatus: view.getBigUint64(MCG_STATUS_AT, true),
    ip: view.getBigUint64(IP_AT, true),
    seconds: view.getBigUint64(TIME_AT, true),
    bank: view.getUint8(BANK_AT),
    cpu: view.getUint32(CPU_AT, true),
    socket: view.getUint32(SOCKET_AT, true),
  };
}

/** Bits of IA32_MCi_STATUS. */
const VALID = 63n;
const OVERFLOWN = 62n;
const UNCORRECTED = 61n;
const MISC_VALID = 59n;
const ADDRESS_VALID = 58n;
const CONTEXT_CORRUPT = 57n;
const CODE_MASK = 0xffffn;

const has = (status: bigint, bit: bigint) => ((status >> bit) & 1n) === 1n;
const hex = (value: bigint) => `0x${value.toString(16)}`;

/** One line for people. */
export function machineCheckText(check: MachineCheck): string {
  const { status, bank, cpu, socket, mcgStatus, ip } = check;
  const kind = has(status, UNCORRECTED) ? 'uncorrected' : 'corrected';
  const code = status & CODE_MASK;
  const words = [
    `machine check on CPU ${cpu} (socket ${socket}), bank ${bank}: status ${hex(status)}`,
    has(status, VALID) ? `${kind} error, code ${hex(code)} (${errorCodeText(Number(code))})` : '',
    has(status, CONTEXT_CORRUPT) ? 'the processor context is corrupt' : '',
    has(status, OVERFLOWN) ? 'another error was overwritten' : '',
    has(status, ADDRESS_VALID) ? `address ${hex(check.address)}` : '',
    has(status, MISC_VALID) ? `misc ${hex(check.misc)}` : '',
    `mcgstatus ${hex(mcgStatus)}`,
    ip === 0n ? '' : `instruction at ${hex(ip)}`,
    timeText(check.seconds),
  ];
  return words.filter((word) => word !== '').join(', ');
}

function timeText(seconds: bigint): string {
  if (timeOfSeconds(seconds) === null) return '';
  return `at ${new Date(Number(seconds) * 1000).toISOString().replace('.000Z', 'Z')}`;
}

/** Intel SDM, table of simple error codes. */
const SIMPLE_CODES: ReadonlyMap<number, string> = new Map([
  [0x0000, 'no error'],
  [0x0001, 'unclassified'],
  [0x0002, 'parity of the microcode ROM'],
  [0x0003, 'external'],
  [0x0004, 'functional redundancy check'],
  [0x0005, 'internal parity'],
  [0x0006, 'SMM handler code access'],
  [0x0400, 'internal timer'],
]);
/** Compound error codes, by the highest bit that is set. */
const COMPOUND_CODES: readonly (readonly [bit: number, text: string])[] = [
  [0x0800, 'bus or interconnect'],
  [0x0400, 'internal'],
  [0x0100, 'cache hierarchy'],
  [0x0080, 'memory controller'],
  [0x0010, 'TLB'],
  [0x0008, 'generic cache hierarchy'],
];
/** Bit 12 tells how corrected errors are reported, and nothing of the error. */
const FILTERING = 0x1000;

function errorCodeText(code: number): string {
  const plain = code & ~FILTERING;
  return SIMPLE_CODES.get(plain) ?? COMPOUND_CODES.find(([bit]) => (plain & bit) !== 0)?.[1] ?? 'unknown';
}
