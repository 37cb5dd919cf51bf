// The licences of what is inside of our bundles, which their authors ask to go with every copy.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

interface PackageFile {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

const LICENCE_FILE = /^(licen[cs]e|copying)/i;
/** What a package says of its licence where it has no file of it. */
const ONLY_NAMED = 'The package names this licence, and has no file of it.\n';
const LINE = '='.repeat(78);

/** The folders of the packages that a bundle of these files has inside. */
export async function packagesInside(entries: readonly string[]): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [...entries],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['fuse-native', 'koffi'],
    write: false,
    metafile: true,
    outdir: 'licences',
    logLevel: 'error',
  });
  const folders = Object.keys(metafile.inputs).map((file) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(file)?.[0]);
  return [...new Set(folders.filter((folder) => folder !== undefined))].sort();
}

/** One chapter for each: what it is, and its licence as it is written. */
export function licencesOf(folders: readonly string[]): string {
  return folders.map((folder) => chapter(nameOf(folder), textOf(folder))).join('\n');
}

export function chapter(title: string, text: string): string {
  return `${LINE}\n${title}\n${LINE}\n\n${text.trimEnd()}\n`;
}

function nameOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as PackageFile;
  return `${name} ${version} (${license ?? 'no licence is named'})`;
}

function textOf(folder: string): string {
  const files = readdirSync(folder).filter((file) => LICENCE_FILE.test(file));
  return files.length === 0 ? ONLY_NAMED : files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
}
