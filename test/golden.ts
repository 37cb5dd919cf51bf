// The golden folders as cases: what a real kernel was given, and the files that it showed.

import { readdirSync, readFileSync } from 'node:fs';
import { golden } from './fixture-path.js';

export interface GoldenFile {
  readonly name: string;
  readonly size: number;
  readonly mtime_sec: number;
  readonly mtime_nsec: number;
  readonly content_len: number;
}

export interface GoldenCase {
  readonly folder: string;
  /** The backend's name in file names. */
  readonly backend: string;
  readonly files: readonly GoldenFile[];
  /** Keys of a source, as the kernel had its parameters. */
  readonly keys: Readonly<Record<string, string>>;
  readonly filesBefore: readonly GoldenFile[] | undefined;
}

const KEYS = [
  'kmsg_size',
  'record_size',
  'pmsg_size',
  'console_size',
  'ftrace_size',
  'mem_size',
  'ecc',
  'cpus',
  'compress',
];

/** @param format `zone`, `rfc5` or `ramoops` */
export function goldenCases(...formats: string[]): GoldenCase[] {
  const cases: GoldenCase[] = [];
  for (const folder of readdirSync(golden()).sort()) {
    if (folder.includes('.')) continue;
    const expect = JSON.parse(readFileSync(golden(folder, 'expect.json'), 'utf8'));
    if (!formats.includes(expect.format)) continue;
    const params = { ...expect.params, ...expect.view_params_differ };
    const known = KEYS.filter((key) => key in params && !(expect.format === 'rfc5' && key === 'cpus'));
    cases.push({
      folder,
      backend: params.backend,
      files: expect.files,
      filesBefore: expect.files_before,
      keys: Object.fromEntries(known.map((key) => [key, String(params[key])])),
    });
  }
  return cases;
}

/** What a golden folder is told by. */
export function expectOf<T>(folder: string): T {
  return JSON.parse(readFileSync(golden(folder, 'expect.json'), 'utf8')) as T;
}

/** The golden folders of a format. */
export function goldenFolders(format: string): string[] {
  const folders = readdirSync(golden()).filter((folder) => !folder.includes('.'));
  return folders.filter((folder) => expectOf<{ format: string }>(folder).format === format).sort();
}

/** The bytes that the kernel gave for a file. */
export function goldenBytes(folder: string, name: string): Uint8Array {
  return new Uint8Array(readFileSync(golden(folder, 'files', name)));
}

/** An ftrace text without the symbol columns, which are of the kernel that showed it. */
export function withoutSymbols(text: Uint8Array): string {
  return Buffer.from(text)
    .toString('latin1')
    .replace(/^(CPU:\d+ ts:\d+ [0-9a-f]+ {2}[0-9a-f]+) {2}.*$/gm, '$1');
}
