import t from 'tap';
import { LogText, MAX_LOG_TEXT } from '../../lib/vmcore/log-text.js';

const MEBIBYTE = 1 << 20;

t.test('a log that is too long keeps its newest messages, and says so', (t) => {
  const log = new LogText();
  log.message(0n, new Uint8Array(10).fill(0x61));
  t.equal(log.trouble, null);
  for (let i = 0; i < 34; i++) log.message(1n, new Uint8Array(MEBIBYTE).fill(0x62));
  log.message(2_000_000_000n, new TextEncoder().encode('the newest'));
  const text = Buffer.from(log.bytes());
  t.ok(text.length <= MAX_LOG_TEXT && text.length > MAX_LOG_TEXT - MEBIBYTE, `${text.length}`);
  t.equal(text[0], 0x62);
  t.match(text.subarray(-40).toString(), /\n\[ {4}2\.000000\] the newest\n$/);
  t.match(log.trouble, /too long, and its first [0-9]+ bytes are left out/);
  t.end();
});

t.test('more messages than any log has are not read', (t) => {
  const log = new LogText();
  let added = 0;
  const add = () => {
    log.message(0n, new Uint8Array(MEBIBYTE).fill(0x62));
    added++;
  };
  t.throws(
    () => {
      while (added < 1000) add();
    },
    { code: 'EFBIG' },
  );
  t.equal(added, 64);
  t.end();
});

t.test('bytes as they are, between messages', (t) => {
  const log = new LogText();
  log.raw(new TextEncoder().encode('as it is\n'));
  log.message(1000n, new TextEncoder().encode('one\ntwo'));
  log.raw(new TextEncoder().encode('end'));
  const expected = 'as it is\n[    0.000001] one\n               two\nend';
  t.equal(Buffer.from(log.bytes()).toString(), expected);
  t.equal(Buffer.from(log.bytes()).toString(), expected, 'asking changes nothing');
  t.end();
});
