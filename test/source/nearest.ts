import fc from 'fast-check';
import t from 'tap';
import { didYouMean, nearest } from '../../lib/source/nearest.js';

const KEYS = ['ro', 'label', 'salvage', 'offset', 'size', 'kmsg_size', 'dmesg_size', 'record_size', 'cpus', 'ecc'];
const COMMANDS = ['umount', 'ls', 'cat', 'rm', 'info', 'record', 'format', 'tee', 'repair', 'vmcoredd-add'];

t.test('the nearest word', (t) => {
  for (const [word, known, meant] of [
    ['recordsize', KEYS, 'record_size'],
    ['record-size', KEYS, 'record_size'],
    ['RECORD_SIZE', KEYS, 'record_size'],
    ['kmesg_size', KEYS, 'kmsg_size'],
    ['slavage', KEYS, 'salvage'],
    ['siz', KEYS, 'size'],
    ['kmsg', KEYS, 'kmsg_size'],
    ['cpu', KEYS, 'cpus'],
    ['b.raw', KEYS, undefined],
    ['foo', KEYS, undefined],
    ['r', KEYS, undefined],
    ['', KEYS, undefined],
    ['toString', KEYS, undefined],
    ['lss', COMMANDS, 'ls'],
    ['sl', COMMANDS, 'ls'],
    ['catt', COMMANDS, 'cat'],
    ['unmount', COMMANDS, 'umount'],
    ['fromat', COMMANDS, 'format'],
    ['vmcoredd', COMMANDS, 'vmcoredd-add'],
    ['nothing', COMMANDS, undefined],
    ['mmcblk0p7', COMMANDS, undefined],
  ] as const) {
    t.equal(nearest(word, known), meant, word);
  }
  t.equal(nearest('ls', []), undefined);
  t.equal(didYouMean('lss', COMMANDS, 'no'), 'did you mean ls?');
  const records = [0, 1, 2, 10].map((id) => `dmesg-blkoops-${id}`);
  t.equal(
    didYouMean('dmesg-blkoops-9', records, 'no'),
    `did you mean ${records.slice(0, 2).join(', ')} or ${records[2]}?`,
  );
  t.equal(didYouMean('dmesg-blkoops-1O', records, 'no'), 'did you mean dmesg-blkoops-1 or dmesg-blkoops-10?');
  t.equal(didYouMean('nothing', COMMANDS, 'see --help'), 'see --help');
  t.end();
});

t.test('one change in a word of some length leads back to it', (t) => {
  const long = [...KEYS, ...COMMANDS].filter((word) => word.length >= 6);
  fc.assert(
    fc.property(fc.constantFrom(...long), fc.nat(), fc.constantFrom('insert', 'drop', 'swap'), (word, at, how) => {
      const i = at % (word.length - 1);
      const [a, b] = [word.slice(0, i), word.slice(i)];
      const mistyped = { insert: `${a}z${b}`, drop: a + b.slice(1), swap: `${a}${b[1]}${b[0]}${b.slice(2)}` }[how];
      return nearest(mistyped, long) !== undefined && nearest(mistyped, [word]) === word;
    }),
    { numRuns: 300 },
  );
  t.end();
});
