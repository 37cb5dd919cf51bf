// What the ECC of a zone has repaired, and what it could not: byte by byte, in numbers and in the kernel's words.

/** What the ECC of a zone found. */
export interface EccCounts {
  /** Bytes that could be repaired, in the header, the data and their parity. */
  readonly corrected: number;
  /** Blocks beyond repair; the header is one. */
  readonly lost: number;
}

export const NO_ERRORS: EccCounts = { corrected: 0, lost: 0 };

/** A byte that repair() changed. */
export interface RepairedByte {
  /** In the region. */
  readonly offset: number;
  readonly from: number;
  readonly to: number;
}

/** Bytes of the region in blocks with more wrong bytes than ECC can repair; blocks side by side are one range. */
export interface LostRange {
  readonly offset: number;
  readonly length: number;
}

/** What repair() did, and what it could not do. */
export interface ZoneRepair {
  readonly changes: RepairedByte[];
  readonly lost: LostRange[];
}

export function total(a: EccCounts, b: EccCounts): EccCounts {
  return { corrected: a.corrected + b.corrected, lost: a.lost + b.lost };
}

/** As persistent_ram_ecc_string words it, without `ECC: `. */
export function eccWords({ corrected, lost }: EccCounts): string {
  return corrected + lost === 0 ? 'No errors detected' : `${corrected} Corrected bytes, ${lost} unrecoverable blocks`;
}
