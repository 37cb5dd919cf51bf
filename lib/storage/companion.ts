// The files that keys name beside a source: what each is called in messages, and how large one can be.

export interface Companion {
  /** As it stands after "a file with". */
  readonly what: string;
  /** Bytes; a larger file is a mistake. */
  readonly most: number;
}

export const COMPANIONS = {
  cmdline: { what: 'a kernel command line', most: 64 << 10 },
  dtb: { what: 'a device tree', most: 2 << 20 },
  memory: { what: 'a memory map', most: 1 << 20 },
  kallsyms: { what: 'a symbol table', most: 64 << 20 },
} as const satisfies Readonly<Record<string, Companion>>;
