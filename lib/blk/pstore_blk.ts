// The backend pstore_blk: mainline's pstore/zone, Linux 5.8 and later.

import type { BackendKind } from '../pstore/kind.js';
import { FRONT_ENDS } from '../pstore/record-type.js';
import { zonesAnywhere } from './anywhere.js';
import { formatZones } from './fresh-image.js';
import { ZONE_KEYS } from './keys.js';
import { openZones } from './open.js';
import { probeZones } from './probe.js';

export const pstoreBlk: BackendKind = {
  name: 'pstore_blk',
  summary: 'a partition of pstore/zone (Linux 5.8 and later)',
  keys: ZONE_KEYS,
  types: FRONT_ENDS,
  source: 'file',
  probe: (storage) => probeZones(storage, 'pstore_blk'),
  open: (context) => openZones(context, 'pstore_blk'),
  anywhere: zonesAnywhere('pstore_blk'),
  format: (storage, keys) => formatZones(storage, keys, 'pstore_blk'),
};
