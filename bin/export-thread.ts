// A thread of export, which reads images.

import '../lib/cli/export-thread.js';
