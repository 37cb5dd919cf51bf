import { join } from 'node:path';
import t from 'tap';
import { machineLockdown } from '../../lib/storage/lockdown.js';

t.test('what the file says', async (t) => {
  const files = {
    none: '[none] integrity confidentiality\n',
    integrity: 'none [integrity] confidentiality\n',
    confidentiality: 'none integrity [confidentiality]\n',
  };
  const folder = t.testdir({ ...files, strange: 'none [harder]\n', empty: '', folder: {} });
  for (const mode of Object.keys(files)) t.equal(machineLockdown(join(folder, mode)), mode);
  t.equal(machineLockdown(join(folder, 'missing')), 'none', 'a kernel without lockdown');
  t.equal(machineLockdown(join(folder, 'none', 'below')), 'none');
  for (const name of ['strange', 'empty', 'folder']) {
    t.equal(machineLockdown(join(folder, name)), 'confidentiality', `${name}: not understood, so taken for locked`);
  }
  t.match(machineLockdown(), /^(none|integrity|confidentiality)$/, 'of this machine');
});
