// The table of error codes, and what a failure of the system becomes.

import { constants } from 'node:os';
import t from 'tap';
import { CODES, type ErrorCode, fromSystem, PstoreError } from '../lib/errors.js';

/** sysexits.h, as the command promises them. */
const EXITS = [64, 65, 66, 69, 70, 73, 74, 75, 77];

t.test('each code has the number of this system, and an exit status that is promised', (t) => {
  for (const [code, { errno, exit }] of Object.entries(CODES)) {
    const expected = code === 'EUNKNOWN' ? constants.errno.EIO : constants.errno[code as 'EIO'];
    t.equal(errno, expected, code);
    t.ok(EXITS.includes(exit), `${code}: ${exit}`);
  }
  t.end();
});

t.test('a PstoreError', (t) => {
  const cause = new Error('why');
  const error = new PstoreError('EBUSY', 'it is in use', { path: 'a', offset: 7, exit: 73, cause });
  t.match(error, {
    name: 'PstoreError',
    message: 'it is in use',
    code: 'EBUSY',
    errno: constants.errno.EBUSY,
    exit: 73,
  });
  t.equal(error.cause, cause);
  t.same([new PstoreError('EBUSY', '').exit, new PstoreError('EBUSY', '').cause], [75, undefined]);
  t.end();
});

t.test('what a failure of the system becomes', (t) => {
  const failure = (code: string | undefined) => Object.assign(new Error('of the system'), { code });
  for (const [code, expected] of [
    ['EACCES', 'EACCES'],
    ['ENOSPC', 'ENOSPC'],
    ['EMFILE', 'EIO'],
    ['toString', 'EIO'],
    [undefined, 'EIO'],
  ] as [string | undefined, ErrorCode][]) {
    const system = failure(code);
    t.match(fromSystem(system, 'a sentence', { path: 'a' }), { code: expected, message: 'a sentence', cause: system });
  }
  const own = new PstoreError('EROFS', 'already said');
  t.equal(fromSystem(own, 'another sentence'), own);
  t.equal(fromSystem(undefined, 'nothing was thrown').code, 'EIO');
  t.end();
});
