// All reports of all families.

import { CHECKERS } from './checkers.js';
import { type Case, FAULTS } from './faults.js';
import { FORMS } from './forms.js';
import { KASAN } from './kasan.js';
import { LOCKS } from './locks.js';
import { OLDER } from './older.js';
import { RARE } from './others.js';
import { PANICS } from './panics.js';
import { STALLS } from './stalls.js';
import { STILL } from './still.js';
import { VENDORS } from './vendors.js';
import { WARNINGS } from './warnings.js';

export const FAMILIES: Readonly<Record<string, readonly Case[]>> = {
  faults: FAULTS,
  panics: PANICS,
  kasan: KASAN,
  checkers: CHECKERS,
  locks: LOCKS,
  still: STILL,
  stalls: STALLS,
  warnings: WARNINGS,
  rare: RARE,
  forms: FORMS,
  vendors: VENDORS,
  older: OLDER,
};

export const ALL: readonly Case[] = Object.values(FAMILIES).flat();
