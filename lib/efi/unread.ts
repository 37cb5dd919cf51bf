// Stores of EFI variables that are known by sight but not read: a person should learn what the file is.
// Facts: UEFITool (nvram.h, ami_nvar.ksy, phoenix_evsa.ksy), VirtualBox's and Hyper-V's files.

import { guidBytes } from '../guid.js';
import { occurrences } from '../storage/occurrences.js';
import { readRange, type Storage } from '../storage/storage.js';
import { hasVolume } from './volume.js';

const ascii = (text: string) => new TextEncoder().encode(text);

interface Sign {
  /** As a sentence goes on after "it holds". */
  readonly what: string;
  readonly bytes: Uint8Array;
  /** Offset in the file; null: anywhere in a flash image of UEFI. */
  readonly at: number | null;
}

const SIGNS: readonly Sign[] = [
  { what: 'a disk image in the format qcow2', bytes: new Uint8Array([0x51, 0x46, 0x49, 0xfb]), at: 0 },
  { what: "VirtualBox's NVRAM (a tar archive)", bytes: ascii('TpmEmuTpms/'), at: 0 },
  { what: "VirtualBox's NVRAM (a tar archive)", bytes: ascii('efi/nvram'), at: 0 },
  { what: "Hyper-V's guest state (.vmgs)", bytes: ascii('GUESTRTS'), at: 0 },
  { what: "AMI Aptio's NVAR store", bytes: guidBytes('cef5b9a3-476d-497f-9fdc-e98143e0422c'), at: null },
  { what: "Phoenix's EVSA store", bytes: ascii('EVSA'), at: null },
  { what: "Insyde's _FDC store", bytes: ascii('_FDC'), at: null },
  { what: "Apple's Fsys store", bytes: ascii('Fsys'), at: null },
];

/**
 * What a file holds that is known but not read.
 * @param end first byte that is not looked at
 */
export function knownUnread(storage: Storage, end: number): string | undefined {
  const head = readRange(storage, 0, 64);
  const stands = ({ bytes, at }: Sign) => at !== null && bytes.every((byte, i) => head[at + i] === byte);
  const first = SIGNS.find(stands);
  if (first) return first.what;
  if (!hasVolume(storage, end)) return undefined;
  const found = SIGNS.filter(({ at, bytes }) => at === null && isThere(storage, bytes, end));
  return found.length === 0 ? undefined : found.map(({ what }) => what).join(' and ');
}

function isThere(storage: Storage, bytes: Uint8Array, end: number): boolean {
  return occurrences(storage, bytes, 0, end).next().done !== true;
}
