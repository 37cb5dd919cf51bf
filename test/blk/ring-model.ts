// Any sequence of writes, erases and re-opens agrees with a simple model of the ring, and with an independent builder
// on every byte.

import fc from 'fast-check';
import t from 'tap';
import { dialectsOf } from '../../lib/blk/dialects.js';
import { ZoneState } from '../../lib/blk/dmesg-table.js';
import { ZoneEngine } from '../../lib/blk/engine.js';
import { layOut, NO_ZONES } from '../../lib/blk/geometry.js';
import { parseAbi } from '../../lib/pstore/abi.js';
import { Reason } from '../../lib/pstore/record-type.js';
import { MemoryStorage } from '../../lib/storage/memory.js';
import { Warnings } from '../../lib/warnings.js';
import { FORMATS, MACHINE_NAMES, partition } from '../builders/zone.js';

const ZONE = 1024;
const ZONES = 5;
/** Not a multiple of the zone: the rest at the end is not used. */
const SIZE = 8192;

interface Model {
  readonly records: ({ reason: number; counter: number; seconds: number; body: string } | 'erased' | undefined)[];
  oops: number;
  panic: number;
  next: number;
}

const step = fc.oneof(
  fc.record({
    do: fc.constant('write' as const),
    reason: fc.constantFrom(Reason.Oops, Reason.Panic),
    body: fc.string({ maxLength: 60 }),
  }),
  fc.record({ do: fc.constant('erase' as const), zone: fc.nat(ZONES - 1) }),
  fc.record({ do: fc.constant('reopen' as const) }),
);

for (const format of FORMATS) {
  for (const machine of MACHINE_NAMES) {
    t.test(`${format} on ${machine}`, async () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
          const total = format === 'blkoops' ? SIZE : SIZE;
          const geometry = layOut(dialectsOf(format)[0]!, total, { ...NO_ZONES, kmsgSize: ZONE }, 'image');
          const count = geometry.kmsgCount;
          const storage = new MemoryStorage(new Uint8Array(total).fill(0xff));
          const built = partition(total, { format, abi: machine }).kmsg(ZONE);
          const open = () => {
            const engine = new ZoneEngine(storage, geometry, parseAbi(machine), new Warnings());
            engine.recover();
            return engine;
          };
          let engine = open();
          const model: Model = { records: new Array(count).fill(undefined), oops: 0, panic: 0, next: 0 };
          let seconds = 1_700_000_000;
          for (const now of steps) {
            if (now.do === 'reopen') engine = open();
            else if (now.do === 'erase') {
              const known = model.records[now.zone];
              const erased = engine.erase(now.zone);
              if (erased !== (known !== undefined && known !== 'erased')) return false;
              if (erased) {
                model.records[now.zone] = 'erased';
                built.erase(built.kmsgZones[now.zone]!);
              }
            } else {
              seconds++;
              const counter = now.reason === Reason.Oops ? ++model.oops : ++model.panic;
              const timeNs = BigInt(seconds) * 1_000_000_000n + 5n;
              const bytes = new Uint8Array(Buffer.from(now.body, 'latin1'));
              const written = engine.write({ reason: now.reason, timeNs, compressed: false, bytes });
              if (written.zone !== model.next || !written.flushed) return false;
              built.dmesg(model.next, { body: now.body, counter, reason: now.reason, seconds, nanoseconds: 5 });
              model.records[model.next] = { reason: now.reason, counter, seconds, body: now.body };
              model.next = (model.next + 1) % count;
            }
            if (!Buffer.from(storage.bytes).equals(built.bytes)) return false;
          }
          engine = open();
          const agrees = model.records.every((known, zone) => {
            const row = engine.dmesg.row(zone);
            if (known === undefined) return row.state === ZoneState.Unsigned || row.state === ZoneState.NotLookedAt;
            if (known === 'erased') return row.state === ZoneState.Erased;
            return (
              row.state === ZoneState.Live && row.counter === known.counter && row.seconds === BigInt(known.seconds)
            );
          });
          // What was overwritten no longer tells of itself, so a re-opened engine may count from fewer; never from more.
          const { oops, panic } = engine.counters;
          return agrees && engine.nextZone === model.next && oops <= model.oops && panic <= model.panic;
        }),
        { numRuns: 60 },
      );
    });
  }
}
