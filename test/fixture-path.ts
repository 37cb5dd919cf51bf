// Where the golden folders are, and their images unpacked; tests run compiled from dist/test/.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

/** The folder that holds package.json. */
export const ROOT = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : findRoot(dirname(folder));
}

/** A path inside test/fixtures/golden. */
export function golden(...parts: string[]): string {
  return join(ROOT, 'test', 'fixtures', 'golden', ...parts);
}

/** An image of a golden folder, unpacked; a copy of its own for each caller. */
export function goldenImage(folder: string, name = 'image.raw'): Uint8Array {
  return new Uint8Array(gunzipSync(readFileSync(golden(folder, `${name}.gz`))));
}
