// The script of a page, in the report as well as in the viewer: what is there is readable without it.

import { watchActs } from './acts.js';
import { watchBodies } from './bodies.js';
import { watchKeys } from './keys.js';
import { RecordList } from './list.js';
import { startTheme } from './theme.js';
import { startViewer } from './viewer.js';

document.documentElement.classList.add('js');

function start(): void {
  startTheme();
  const core = document.getElementById('core');
  if (core) {
    startViewer(core);
    return;
  }
  const records = document.getElementById('records');
  if (!records) return;
  watchBodies(records);
  const list = new RecordList(records);
  watchKeys(() => list);
  watchActs(records);
}

if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start);
else start();
