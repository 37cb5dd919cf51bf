// Groups of crashes: counted once, whatever tells of them.

import t from 'tap';
import { explain } from '../../lib/triage/explain.js';
import { Groups } from '../../lib/triage/groups.js';
import { KASAN, X86_OOPS } from './logs.js';

const [kasan, oops] = [KASAN, X86_OOPS].map((text) => explain(text).crashes.at(-1)!) as [never, never];

t.test('the most frequent first, texts without a crash last', async (t) => {
  const groups = new Groups();
  groups.add({ crash: undefined, image: 'a', timeNs: 5n });
  groups.add({ crash: undefined, image: 'a', timeNs: null });
  groups.add({ crash: undefined, image: 'b', timeNs: null });
  groups.add({ crash: kasan, image: 'a', timeNs: null });
  groups.add({ crash: oops, image: 'a', timeNs: 30n });
  groups.add({ crash: oops, image: 'a', timeNs: null });
  groups.add({ crash: oops, image: 'b', timeNs: 20n });
  t.match(groups.list(), [
    { kind: 'null-deref', count: 2, firstNs: 20n, lastNs: 30n, images: new Set(['a', 'b']) },
    { kind: 'kasan', count: 1, firstNs: null },
    { signature: null, kind: null, count: 3, firstNs: 5n, titles: [] },
  ]);
});
