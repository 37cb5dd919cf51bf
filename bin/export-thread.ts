// A thread of export, which reads images.

import { passRawPaths } from '../lib/cli/raw-paths.js';
import '../lib/cli/export-thread.js';

passRawPaths();
