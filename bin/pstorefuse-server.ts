// The server of a mount: started by the command pstorefuse, not by a person.

import { fileURLToPath } from 'node:url';
import { serverMain } from '../lib/cli/server-main.js';

const packageFile = fileURLToPath(new URL('../../package.json', import.meta.url));
serverMain(process.argv.slice(2), packageFile).then(process.exit);
