// Texts to compress: real logs, what the vectors in test/fixtures/compress hold, and arbitrary ones.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { golden, ROOT } from '../fixture-path.js';

/** Whether there are bytes and they are the same; much faster than tap's own comparison. */
export function isSame(found: Uint8Array | undefined, wanted: Uint8Array): boolean {
  return found !== undefined && Buffer.compare(found, wanted) === 0;
}

/** A file that a kernel showed. */
export function shown(folder: string, name: string): Uint8Array {
  return new Uint8Array(readFileSync(golden(folder, 'files', name)));
}

export function vector(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(ROOT, 'test', 'fixtures', 'compress', name)));
}

export function ascii(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

export function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** The text of `oops.*`: no multiple of 8 bytes. */
export const OOPS = shown('s1', 'dmesg-pstore_blk-0').subarray(0, 3999);

/** The text of `zeros.*`: runs of zeros and of a short pattern. */
export const ZEROS = joined(
  OOPS.subarray(0, 499),
  new Uint8Array(2100),
  OOPS.subarray(499, 999),
  ascii('pstore842'.repeat(100)),
  new Uint8Array(7),
);

/** The text of `long.zst`, 194 KB. */
export const LONG = joined(
  ...['s1', 's2', 's6-lz4'].flatMap((folder) => [0, 1, 2].map((id) => shown(folder, `dmesg-pstore_blk-${id}`))),
);

/** The text of `accident.lz4`. */
export const ACCIDENT = joined(ascii('Oops#66 Part1\n'), shown('s1', 'dmesg-pstore_blk-1').subarray(15154, 15596));

/** Log lines with much repetition, then anything. */
export const anyText = fc.oneof(
  fc
    .array(
      fc.oneof(
        fc.constantFrom(
          '[    1.234567] usb 1-1: new device',
          'Call Trace:\n',
          ' ? do_syscall_64+0x5a/0x80\n',
          '\0\0\0\0',
        ),
        fc.string({ maxLength: 12 }),
        fc.nat({ max: 99999 }).map(String),
      ),
      { maxLength: 120 },
    )
    .map((parts) => ascii(parts.join(''))),
  fc.uint8Array({ maxLength: 400 }),
  fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.nat({ max: 700 })).map(([piece, times]) => {
    const text = new Uint8Array(piece.length * times);
    return text.map((_, i) => piece[i % piece.length]!);
  }),
);
