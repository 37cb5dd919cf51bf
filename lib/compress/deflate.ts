// deflate: a raw stream (no zlib header), as pstore's default makes it.

import { deflateRaw, inflateRaw } from '../platform.js';
import type { Codec } from './codec.js';

export const deflate: Codec = {
  name: 'deflate',
  decompress: inflateRaw,
  compress: deflateRaw,
};
