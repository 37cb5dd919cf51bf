// Makes all that is handed out, with its checksums and a list of what is inside: scripts/release runs it.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const OUTPUT = process.argv[2] ?? join('dist', 'release');
const { name: ownName, version } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  name: string;
  version: string;
};

/** What in npm's list changes from one run to the next, or says where it was made. */
interface Sbom {
  serialNumber: string;
  metadata: { timestamp: string; component: { name: string } };
}

function billOfMaterials(): string {
  const words = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'];
  const text = execFileSync('npm', words, { encoding: 'utf8', maxBuffer: 1 << 26 });
  const list = JSON.parse(text) as Sbom;
  list.metadata.timestamp = new Date(Number(process.env.SOURCE_DATE_EPOCH) * 1000).toISOString();
  // npm takes the folder's.
  list.metadata.component.name = ownName;
  // A number of its own for each version, the same whenever it is made.
  const digits = createHash('sha256')
    .update(JSON.stringify({ ...list, serialNumber: '' }))
    .digest('hex');
  const parts = [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `5${digits.slice(13, 16)}`,
    `8${digits.slice(17, 20)}`,
    digits.slice(20, 32),
  ];
  list.serialNumber = `urn:uuid:${parts.join('-')}`;
  return `${JSON.stringify(list, null, 2)}\n`;
}

writeFileSync(join(OUTPUT, `pstorefuse-${version}.sbom.json`), billOfMaterials());
const files = readdirSync(OUTPUT)
  .filter((name) => name !== 'SHA256SUMS')
  .sort();
const sums = files.map(
  (name) =>
    `${createHash('sha256')
      .update(readFileSync(join(OUTPUT, name)))
      .digest('hex')}  ${name}\n`,
);
writeFileSync(join(OUTPUT, 'SHA256SUMS'), sums.join(''));
process.stdout.write(sums.join(''));
