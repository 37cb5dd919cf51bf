// The backend blkoops: pstore/blk as posted in January 2019 (RFC v5), which many devices carry as a patch.

import type { BackendKind } from '../pstore/kind.js';
import { zonesAnywhere } from './anywhere.js';
import { formatZones } from './fresh-image.js';
import { ZONE_KEYS } from './keys.js';
import { openZones } from './open.js';
import { probeZones } from './probe.js';

export const blkoops: BackendKind = {
  name: 'blkoops',
  summary: 'a partition of pstore/blk as of January 2019 (RFC v5)',
  keys: ZONE_KEYS,
  types: ['dmesg'],
  source: 'file',
  probe: (storage) => probeZones(storage, 'blkoops'),
  open: (context) => openZones(context, 'blkoops'),
  anywhere: zonesAnywhere('blkoops'),
  format: (storage, keys) => formatZones(storage, keys, 'blkoops'),
};
