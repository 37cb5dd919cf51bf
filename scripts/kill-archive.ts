// Kills archive --erase at random calls, in both layouts, and prints what is wrong afterwards. scripts/kill-archive runs it.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { surviveKills } from '../test/trials/killed-archive.js';
import { Random } from '../test/trials/random.js';
import { scriptOptions } from './options.js';

const { values: options } = scriptOptions('kill-archive', {
  options: { kills: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' } },
});
const kills = Number(options.kills);
const random = new Random(Number(options.seed));
/** A quarter of the kills: the layout has fewer calls. */
const asSystemd = kills >> 2;

const folder = mkdtempSync(join(tmpdir(), 'kill-archive-'));
let wrong = 0;
try {
  for (const [layout, count] of [[[], kills - asSystemd] as const, [['--layout', 'systemd'], asSystemd] as const]) {
    const outcome = surviveKills(folder, count, random, layout);
    wrong += outcome.wrong.length;
    const name = layout.length === 0 ? 'pstorefuse' : 'systemd';
    console.log(
      `layout ${name}: ${outcome.calls} calls that change files, ${outcome.kills} kills, ${outcome.wrong.length} wrong`,
    );
    for (const sentence of outcome.wrong) console.log(`  WRONG ${sentence}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = wrong === 0 ? 0 : 1;
