import t from 'tap';
import { Output } from '../../lib/compress/output.js';
import { ascii } from '../builders/texts.js';

const shown = (out: Output): string => Buffer.from(out.text()).toString('latin1');

t.test('literals, matches and repeats, short and long', (t) => {
  const out = new Output(1000, 1);
  t.ok(out.literals(ascii('xabcdx'), 1, 4));
  t.ok(out.match(4, 3));
  t.ok(out.match(1, 5), 'overlapping');
  t.ok(out.repeat(0x2e, 3));
  t.equal(shown(out), 'abcdabcccccc...');
  t.ok(out.match(15, 100), 'long and overlapping');
  t.equal(shown(out), 'abcdabcccccc...'.repeat(8).slice(0, 115));
  t.ok(out.match(115, 110), 'long and apart');
  t.ok(out.literals(new Uint8Array(200).fill(0x79), 0, 200));
  t.equal(out.length, 425);
  t.equal(out.text().length, 425);
  t.equal(Buffer.from(out.view(223)).toString('latin1').slice(0, 4), shown(out).slice(223, 227));
  t.end();
});

t.test('nothing beyond the limit, nothing from before the beginning', (t) => {
  const out = new Output(10, 100);
  t.notOk(out.match(1, 1));
  t.ok(out.literals(ascii('abcdefgh'), 0, 8));
  t.notOk(out.match(9, 1));
  t.notOk(out.match(8, 3));
  t.notOk(out.literals(ascii('abc'), 0, 3));
  t.notOk(out.repeat(0, 3));
  t.equal(out.length, 8, 'what was refused left no trace');
  t.ok(out.match(8, 2));
  t.equal(shown(out), 'abcdefghab');
  t.equal(new Output(0, 100).text().length, 0);
  t.notOk(new Output(0, 100).repeat(0, 1));
  t.end();
});
