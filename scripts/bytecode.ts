// Makes the bytecode of the bundles in a folder: part of scripts/bundle.

import { join } from 'node:path';
import { writeBytecode } from '../lib/cli/bytecode.js';
import { LEAN } from '../lib/mount/launch.js';

const folder = process.argv[2]!;
writeBytecode(join(folder, 'pstorefuse-commands.js'), []);
writeBytecode(join(folder, 'pstorefuse-serving.js'), LEAN);
