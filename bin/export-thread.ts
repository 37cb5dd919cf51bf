// A thread of export, which reads images.

import { createRequire } from 'node:module';
import { passRawPaths } from '../lib/cli/raw-paths.js';

passRawPaths();
const require = createRequire(import.meta.url);
(require('./pstorefuse-commands.js') as typeof import('./pstorefuse-commands.js')).exportThread();
