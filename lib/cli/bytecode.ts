// Our bundles with the bytecode that V8 made of them when they were built: to parse half a megabyte of JavaScript takes
// as long as to start Node.

import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';

type Bundle = (
  exports: object,
  require: NodeJS.Require,
  module: { exports: object },
  file: string,
  dir: string,
) => void;

/**
 * Runs a bundle, a CommonJS module without `import()`. Where its bytecode is missing, or of another Node, it is parsed.
 * @returns its exports
 */
export function load<T extends object>(path: string): T {
  const module = { exports: {} };
  const run = parse(path, readBytecode(path)).runInThisContext() as Bundle;
  run(module.exports, createRequire(path), module, path, dirname(path));
  return module.exports as T;
}

/**
 * Writes the bytecode of a whole bundle for this Node on this kind of machine.
 * @param flags of V8 that the bundle will be run with: with others the bytecode is of no use
 */
export function writeBytecode(path: string, flags: readonly string[]): void {
  for (const flag of flags) setFlagsFromString(flag);
  // Else only what runs at once would be in it.
  setFlagsFromString('--no-lazy');
  const script = parse(path, undefined);
  setFlagsFromString('--lazy');
  writeFileSync(bytecodePath(path), script.createCachedData());
}

export function bytecodePath(path: string): string {
  return `${path}.${process.version}-${process.arch}.bytecode`;
}

function readBytecode(path: string): Buffer | undefined {
  try {
    return readFileSync(bytecodePath(path));
  } catch {
    return undefined;
  }
}

function parse(path: string, cachedData: Buffer | undefined): Script {
  // The bundles are ASCII.
  const source = readFileSync(path, 'latin1');
  const options = { filename: path, ...(cachedData ? { cachedData } : {}) };
  return new Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, options);
}
