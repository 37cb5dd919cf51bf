// Writes the licences of what our bundles have inside. scripts/licences runs it.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chapter, licencesOf, packagesInside } from './packaging/licences.js';

const [output = 'dist/LICENCES'] = process.argv.slice(2);
const entries = readdirSync('bin').filter((file) => file.endsWith('.ts'));
const folders = await packagesInside(entries.map((file) => join('bin', file)));
const own = chapter('pstorefuse', readFileSync('LICENSE', 'utf8'));
writeFileSync(output, `${own}\n${licencesOf(folders)}`);
