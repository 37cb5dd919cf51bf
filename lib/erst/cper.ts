// CPER records as Linux's ERST driver writes them. Facts: UEFI specification, appendix N; drivers/acpi/apei/erst.c
// (struct cper_pstore_record); checked against records of Linux 6.1 and 6.12.

import { guidBytes, guidText, isGuidAt } from '../guid.js';

const SIGNATURE = new TextEncoder().encode('CPER');
const SIGNATURE_END_AT = 6;
const SIGNATURE_END = 0xffff_ffff;
const VALIDATION_AT = 16;
/** The time stamp is valid. */
const VALID_TIME = 2;
const LENGTH_AT = 20;
/** Linux keeps seconds since 1970 where the specification has a date in BCD. */
const TIME_AT = 24;
const CREATOR_AT = 64;
const ID_AT = 96;
/** Record header and the one section's descriptor: the data follow. */
export const CPER_HEADER_SIZE = 200;
const SECTION_TYPE_AT = 144;

/** CPER_CREATOR_PSTORE: what Linux writes itself, dumps and machine checks alike. */
const LINUX_CREATOR = guidBytes('75a574e3-5052-4b29-8a8e-be2c6490b89d');

/** CPER_SECTION_TYPE_DMESG, …_DMESG_Z, …_MCE. */
const SECTION_TYPES: readonly { readonly guid: Uint8Array; readonly type: string; readonly isCompressed: boolean }[] = [
  { guid: guidBytes('c197e04e-d545-4a70-9c17-a5549419eb12'), type: 'dmesg', isCompressed: false },
  { guid: guidBytes('4f118707-04dd-4055-b5dd-956d34ddfac6'), type: 'dmesg', isCompressed: true },
  { guid: guidBytes('fe08ffbe-95e4-4be7-bc73-4096044a38fc'), type: 'mce', isCompressed: false },
];

export interface CperHeader {
  /** Bytes as the header says, itself included. */
  readonly length: number;
  /** Seconds since 1970, or null where the record does not say that it has a time. */
  readonly seconds: bigint | null;
  /** Whether Linux wrote it; else `creator` says whose it is. */
  readonly isLinux: boolean;
  readonly creator: string;
  /** `dmesg`, `mce`, `unknown`. */
  readonly type: string;
  readonly sectionType: string;
  readonly isCompressed: boolean;
  readonly id: bigint;
}

/** Whether a record begins with these bytes, of which there may be few. */
export function beginsAsCper(bytes: Uint8Array): boolean {
  if (bytes.length < SIGNATURE_END_AT + 4 || !SIGNATURE.every((byte, i) => bytes[i] === byte)) return false;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(SIGNATURE_END_AT, true) === SIGNATURE_END;
}

/** @returns undefined where fewer bytes are there than a header has, or no record begins */
export function readCperHeader(bytes: Uint8Array): CperHeader | undefined {
  if (bytes.length < CPER_HEADER_SIZE || !beginsAsCper(bytes)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hasTime = (view.getUint32(VALIDATION_AT, true) & VALID_TIME) !== 0;
  const known = SECTION_TYPES.find(({ guid }) => isGuidAt(bytes, SECTION_TYPE_AT, guid));
  return {
    length: view.getUint32(LENGTH_AT, true),
    seconds: hasTime ? view.getBigUint64(TIME_AT, true) : null,
    isLinux: isGuidAt(bytes, CREATOR_AT, LINUX_CREATOR),
    creator: guidText(bytes, CREATOR_AT),
    type: known?.type ?? 'unknown',
    sectionType: guidText(bytes, SECTION_TYPE_AT),
    isCompressed: known?.isCompressed ?? false,
    id: view.getBigUint64(ID_AT, true),
  };
}
