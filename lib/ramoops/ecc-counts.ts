// How much the ECC of a zone has repaired, and how much it could not, in numbers and in the kernel's words.

/** What the ECC of a zone found. */
export interface EccCounts {
  /** Bytes that could be repaired, in the header, the data and their parity. */
  readonly corrected: number;
  /** Blocks beyond repair; the header is one. */
  readonly lost: number;
}

export const NO_ERRORS: EccCounts = { corrected: 0, lost: 0 };

export function total(a: EccCounts, b: EccCounts): EccCounts {
  return { corrected: a.corrected + b.corrected, lost: a.lost + b.lost };
}

/** As persistent_ram_ecc_string words it, without `ECC: `. */
export function eccWords({ corrected, lost }: EccCounts): string {
  return corrected + lost === 0 ? 'No errors detected' : `${corrected} Corrected bytes, ${lost} unrecoverable blocks`;
}
