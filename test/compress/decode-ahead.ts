import fc from 'fast-check';
import t from 'tap';
import { DecodeAhead, type DecodeAheadOptions, type Work } from '../../lib/compress/decode-ahead.js';
import { type DecodedRecord, decodeRecord, encodeRecord } from '../../lib/compress/decompress.js';

/** At once, whatever it costs. */
const EAGER: DecodeAheadOptions = { threads: 2, after: 0, atLeast: 0 };
const LIMIT = 1 << 20;
const ALGORITHMS = ['deflate', 'lz4', 'lzo', 'zstd', '842'] as const;

function textOf(i: number, length = 3000): string {
  let text = `Oops#${i + 1} Part1\n`;
  while (text.length < length) text += `<6>[    ${text.length}.${i}] device ${i % 7} of ${text.length % 13} is ready\n`;
  return text;
}

/** Records in memory: what has become of each, and who has decoded it. */
class Records implements Work {
  readonly choice = 'auto';
  readonly limit = LIMIT;
  readonly stored: Uint8Array[];
  readonly generations: number[];
  readonly results = new Map<number, DecodedRecord | undefined>();
  readonly unreadable = new Set<number>();
  here = 0;
  elsewhere = 0;

  constructor(count: number) {
    this.stored = Array.from({ length: count }, (_, i) =>
      i % 11 === 5
        ? Buffer.from('no stream at all')
        : encodeRecord(Buffer.from(textOf(i)), ALGORITHMS[i % ALGORITHMS.length]!),
    );
    this.generations = this.stored.map(() => 0);
  }

  count(): number {
    return this.stored.length - this.results.size;
  }

  has(index: number): boolean {
    return !this.results.has(index);
  }

  last(end: number): number {
    let index = Math.min(end, this.stored.length) - 1;
    while (index >= 0 && !this.has(index)) index--;
    return index;
  }

  read(index: number) {
    if (this.unreadable.has(index)) return undefined;
    return { stored: this.stored[index]!, generation: this.generations[index]! };
  }

  adopt(index: number, generation: number, decoded: DecodedRecord | undefined): void {
    if (generation !== this.generations[index] || !this.has(index)) return;
    this.results.set(index, decoded);
    this.elsewhere++;
  }

  /** Another record comes to its place. */
  replace(index: number, text: string): void {
    this.stored[index] = encodeRecord(Buffer.from(text), 'lz4');
    this.generations[index]!++;
    this.results.delete(index);
  }

  /** As a listing does. */
  need(index: number, ahead: DecodeAhead): string | undefined {
    if (this.has(index)) {
      ahead.need(index, () => {
        this.here++;
        this.results.set(index, decodeRecord(this.stored[index]!, this.choice, this.limit));
      });
    }
    const decoded = this.results.get(index);
    return decoded && `${decoded.compression} ${Buffer.from(decoded.text).toString()}`;
  }

  expected(index: number): string | undefined {
    return index % 11 === 5 ? undefined : `${ALGORITHMS[index % ALGORITHMS.length]} ${textOf(index)}`;
  }
}

t.test('other threads decode what this one would', async (t) => {
  const records = new Records(600);
  const ahead = new DecodeAhead(records, EAGER);
  const wrong = records.stored.filter((_, i) => records.need(i, ahead) !== records.expected(i));
  t.equal(wrong.length, 0, 'each record is what it is');
  t.equal(records.here + records.elsewhere, 600, 'each is decoded once');
  // Two batches of 16 for each of two threads are handed out at once, and then nobody else decodes them.
  t.ok(records.elsewhere >= 64, `${records.elsewhere} of them by another thread`);
  ahead.close();
});

t.test('no thread is started where it does not pay, or where there is no processor for it', async (t) => {
  for (const options of [
    { threads: 2 },
    { ...EAGER, threads: 0 },
    { ...EAGER, atLeast: 1e6 },
    { ...EAGER, after: 1e6 },
  ]) {
    const records = new Records(60);
    const ahead = new DecodeAhead(records, options);
    for (const i of records.stored.keys()) records.need(i, ahead);
    t.equal(records.here, 60, JSON.stringify(options));
    ahead.close();
  }
});

t.test('threads that do not answer are given up', async (t) => {
  for (const script of ['data:text/javascript,', 'data:text/javascript,throw 1', 'file:///nothing/there.js']) {
    const records = new Records(100);
    const ahead = new DecodeAhead(records, { ...EAGER, patience: 100, script: new URL(script) });
    const wrong = records.stored.filter((_, i) => records.need(i, ahead) !== records.expected(i));
    t.equal(wrong.length, 0, `${script}: each record is what it is`);
    t.equal(records.here, 100, 'and is decoded here');
  }
});

t.test('in any order, while records change or cannot be read, or it is closed in between', async (t) => {
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ act: fc.constant('need' as const), index: fc.nat(149) }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('replace' as const), index: fc.nat(149) }) },
    {
      weight: 1,
      arbitrary: fc.record({ act: fc.constantFrom('close' as const, 'lose' as const), index: fc.nat(149) }),
    },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const records = new Records(150);
      const ahead = new DecodeAhead(records, EAGER);
      const replaced = new Map<number, string>();
      for (const [n, { act, index }] of steps.entries()) {
        if (act === 'close') ahead.close();
        else if (act === 'lose') records.unreadable.add(index);
        else if (act === 'replace') {
          const text = textOf(1000 + n);
          replaced.set(index, `lz4 ${text}`);
          records.replace(index, text);
        } else if (records.need(index, ahead) !== (replaced.get(index) ?? records.expected(index))) return false;
      }
      ahead.close();
      return true;
    }),
    { numRuns: 40 },
  );
  t.pass();
});
