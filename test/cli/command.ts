import { pathToFileURL } from 'node:url';
import t from 'tap';
import { ROOT } from '../fixture-path.js';
import { run } from '../mounted.js';

t.test('the warnings that are not told are counted', async (t) => {
  const module = pathToFileURL(`${ROOT}/dist/lib/cli/command.js`).href;
  for (const [count, told] of [
    [1, ''],
    [2, 'pstorefuse: warning: a.raw: 1 more warning; see pstorefuse info\n'],
    [3, 'pstorefuse: warning: a.raw: 2 more warnings; see pstorefuse info\n'],
  ] as const) {
    const list = Array.from({ length: count }, () => ({ code: 'x', message: 'something' }));
    const source = JSON.stringify({ backend: { path: 'a.raw', warnings: { list, dropped: 0 } } });
    const program = `import { warn } from '${module}'; warn(${source}, { most: 1 });`;
    const { stderr } = run(process.execPath, ['--input-type=module', '-e', program]);
    t.equal(stderr, `pstorefuse: warning: something\n${told}`);
  }
});
