#!/usr/bin/env node
// The command pstorefuse.

import { fileURLToPath } from 'node:url';
import { load } from '../lib/cli/bytecode.js';
import { main } from '../lib/cli/main.js';

const place = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const installation = {
  packageFile: place('../../package.json'),
  server: place('pstorefuse-server.js'),
  commands: () => load<typeof import('./pstorefuse-commands.js')>(place('pstorefuse-commands.js')),
};
main(process.argv.slice(2), installation).then(process.exit);
