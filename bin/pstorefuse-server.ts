// The server of a mount: started by the command pstorefuse, not by a person.

import { serverMain } from '../lib/cli/main.js';

process.exit(await serverMain(process.argv.slice(2)));
