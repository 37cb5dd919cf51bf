// CRC-32 as zlib, GPT and UEFI have it: polynomial 0xedb88320, reflected. Node has its own only from 20.15 on.

let table: Uint32Array | undefined;

/** Made on first use: most commands need none. */
function crcTable(): Uint32Array {
  table ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1;
    return value;
  });
  return table;
}

/** @returns 0 … 2^32 − 1 */
export function crc32(bytes: Uint8Array): number {
  const codes = crcTable();
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ codes[(crc ^ byte) & 0xff]!;
  return ~crc >>> 0;
}
