#!/usr/bin/env node
// The command pstorefuse where Node runs it. npm links bin/pstorefuse.sh, which a shell runs; it loads this in Node.

import { fileURLToPath } from 'node:url';
import { type Loaded, load } from '../lib/cli/bytecode.js';
import { main } from '../lib/cli/main.js';
import { passRawPaths, rawArguments } from '../lib/cli/raw-paths.js';

type Commands = typeof import('./pstorefuse-commands.js');

const place = (name: string) => fileURLToPath(new URL(name, import.meta.url));
let loaded: Loaded<Commands> | undefined;
const installation = {
  packageFile: place('../../package.json'),
  script: place('pstorefuse'),
  name: process.argv[1] ?? '',
  commands: () => {
    loaded = load<Commands>(place('pstorefuse-commands.js'), 'commands');
    return loaded.exports;
  },
};
passRawPaths();
main(rawArguments(process.argv.slice(2)), installation).then((status) => {
  loaded?.keep();
  process.exit(status);
});
