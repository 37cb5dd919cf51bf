import t from 'tap';
import { SRAM_HEADER_SIZE } from '../../lib/ramoops/format.js';
import { sramHeaderIn } from '../../lib/ramoops/sram.js';

/** The words after the signature, as MediaTek's ram_console has them. */
function header(words: Readonly<Record<number, number>>): Uint8Array {
  const bytes = new Uint8Array(SRAM_HEADER_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x43474244, true);
  for (const [place, word] of Object.entries(words)) view.setUint32(Number(place), word, true);
  return bytes;
}

const LOG = { 40: 0x10000, 48: 0x400, 52: 100, 56: 300, 60: 0xf000 };

t.test('the words of a ram_console, and other bytes after the same signature', async (t) => {
  t.match(sramHeaderIn(header({ 4: 64, 8: 128, ...LOG })), { whole: 0x10000, log: 0x400, start: 100, size: 300 });
  t.equal(sramHeaderIn(header({ 4: 0x3a2, 8: 0x3a2, 12: 0x3d3d3d3d, ...LOG })), undefined, "a dump's line");
  t.equal(sramHeaderIn(header({ ...LOG, 40: 0x7b8cd182, 60: 0x24375541 })), undefined, 'a packed record');
  t.equal(sramHeaderIn(header({ ...LOG, 48: 0xf000 })), undefined, 'a log that ends after the memory');
  t.equal(sramHeaderIn(header({})), undefined, 'zeros');
  t.equal(sramHeaderIn(header(LOG).subarray(0, 60)), undefined, 'cut');
});
