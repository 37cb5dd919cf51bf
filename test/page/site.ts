// The static site: the viewer, the formats, and no link that leads nowhere.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { ROOT } from '../fixture-path.js';
import { run, scratchFolder } from '../mounted.js';

t.test('a site is made, and whole', async (t) => {
  const folder = join(scratchFolder(t), 'site');
  const { status, stderr } = run(join(ROOT, 'scripts', 'site'), [folder]);
  t.equal(status, 0, stderr);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.html'));
  const formats = readdirSync(join(ROOT, 'docs', 'formats')).map((name) => `formats/${name.replace(/md$/, 'html')}`);
  t.same(files.sort(), [...formats, 'index.html', 'viewer.html'].sort());
  t.ok(readFileSync(join(folder, 'viewer.html')).equals(readFileSync(join(ROOT, 'docs', 'viewer.html'))));
  for (const file of files.filter((name) => name !== 'viewer.html')) {
    const text = readFileSync(join(folder, file), 'utf8');
    t.match(text, /content="default-src 'none'; style-src 'sha256-/, file);
    for (const [, to] of text.matchAll(/href="([^"#]+)/g)) {
      t.ok(existsSync(join(folder, dirname(file), to!)), `${file} leads to ${to}`);
    }
  }
  t.match(
    readFileSync(join(folder, 'formats', 'mtdoops.html'), 'utf8'),
    /<table>[\s\S]*0xFFFFFFFF/,
    'tables are tables',
  );
  t.match(
    run(join(ROOT, 'scripts', 'site'), [folder]),
    { status: 73, stderr: /is not empty/ },
    'nothing is written over',
  );
});

t.test('the package has the viewer', async (t) => {
  const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  const [packed] = JSON.parse(stdout) as { files: { path: string }[] }[];
  const paths = new Set(packed!.files.map(({ path }) => path));
  for (const path of ['docs/viewer.html', 'dist/bin/report.html', 'dist/man/pstorefuse-report.1'])
    t.ok(paths.has(path), path);
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    exports: Record<string, unknown>;
  };
  t.equal(exports['./viewer.html'], './docs/viewer.html');
});
