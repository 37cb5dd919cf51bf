// The bundles inside of the executable: the entry, and the scripts of threads.

import { createRequire, isBuiltin } from 'node:module';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';

const FOLDER = join('scripts', 'executable');
/** The names of Node's modules in whose place ours stand, and our files. */
const OURS: Readonly<Record<string, string>> = {
  'node:module': 'module.ts',
  'node:worker_threads': 'worker-threads.ts',
};
/**
 * Ours by their own names, lib/cli/beside.ts among them. esbuild builds a file otherwise when it has found it by itself: who
 * asks for it first must not matter.
 */
const BY_NAME = /^\.\/(beside|module|worker-threads)\.js$/;
const require = createRequire(import.meta.url);

/**
 * Node's modules, each loaded at the first use of something in it: some cannot be in a snapshot once they are loaded, and
 * none that a command does not need is waited for.
 */
const lazyModules: Plugin = {
  name: 'lazy-modules',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[a-z_:/]+$/ }, ({ path, importer, namespace }) => {
      if (!isBuiltin(path)) return undefined;
      if (namespace === 'builtin') return { path, external: true };
      const ours = OURS[path];
      if (ours !== undefined && !importer.includes(FOLDER)) return { path: join(process.cwd(), FOLDER, ours) };
      return { path, namespace: 'builtin' };
    });
    onResolve({ filter: BY_NAME }, ({ path }) => ({
      path: join(process.cwd(), FOLDER, path.replace(/\.js$/, '.ts')),
    }));
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({ contents: lazyModule(path) }));
  },
};

function lazyModule(name: string): string {
  const module = require(name) as object;
  // A module that is a function, as assert, is called as it is.
  if (typeof module === 'function') return `module.exports = require(${JSON.stringify(name)});`;
  const getters = Object.keys(module).map(
    (key) => `get ${JSON.stringify(key)}() { return load()[${JSON.stringify(key)}]; }`,
  );
  return `let loaded;
const load = () => (loaded ??= require(${JSON.stringify(name)}));
module.exports = { ${getters.join(',\n')} };`;
}

/** @returns the text of a bundle that needs no file beside it */
export async function executableBundle(entry: string, version: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    write: false,
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: 'warning',
    plugins: [lazyModules],
    banner: { js: 'const moduleUrl="file:///pstorefuse/";' },
    define: { 'import.meta.url': 'moduleUrl', PSTOREFUSE_VERSION: JSON.stringify(version) },
  });
  return outputFiles[0]!.text;
}
