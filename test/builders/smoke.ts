// The smoke test of an installed pstorefuse, scripts/smoke, for every form of it that a test installs.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../fixture-path.js';

/** @returns what failed: nothing, when all is well */
export function smokeFailures(command: string): string {
  const { stdout, stderr } = spawnSync(join(ROOT, 'scripts/smoke'), [command], { encoding: 'utf8', timeout: 120_000 });
  const failures = stdout.split('\n').filter((line) => line !== '' && !/^(ok|skip) /.test(line));
  return [...failures, stderr].join('\n').trim();
}
