// The server of a mount: started by the command pstorefuse, not by a person.

import { fileURLToPath } from 'node:url';
import { load } from '../lib/cli/bytecode.js';
import { passRawPaths, rawArguments } from '../lib/cli/raw-paths.js';

const place = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const { exports, keep } = load<typeof import('./pstorefuse-commands.js')>(place('pstorefuse-commands.js'), 'server');
passRawPaths();
exports
  .server()
  .then(({ serverMain }) => serverMain(rawArguments(process.argv.slice(2)), place('../../package.json'), keep))
  .then(process.exit);
