// What scripts/faults prints as a table, for one specimen of each family: no fault of a medium ends in anything but a record, a warning or a clear error.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from './fixture-path.js';

t.test('every fault under every family and command', async (t) => {
  const { status, stdout } = spawnSync(process.execPath, [join(ROOT, 'dist', 'scripts', 'faults.js'), '--first'], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  });
  t.same(
    stdout.split('\n').filter((line) => /BUG|NO IMAGE/.test(line)),
    [],
  );
  t.equal(status, 0);
});
