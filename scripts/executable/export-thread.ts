// A thread of export in the executable: its script stands alone, as there is no bundle beside it.

import '../../lib/cli/export-thread.js';
import { passRawPaths } from '../../lib/cli/raw-paths.js';

passRawPaths();
