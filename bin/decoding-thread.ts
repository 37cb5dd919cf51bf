// A thread of the commands and the server that decodes records.

import '../lib/compress/decoding-thread.js';
