// pstorefuse repair: writes into an image what its ECC can repair, and says what that was.

import { PstoreError } from '../errors.js';
import { type Command, EXIT, openAll, sourceOptions } from './command.js';
import { print } from './print.js';

export const repair: Command = {
  usage: 'repair <source>',
  summary: 'Write into a ramoops image what its ECC can repair',
  examples: [['$0 repair ramoops:mem.bin', 'each repaired byte is named; looking alone never repairs']],
  build: (yargs) =>
    sourceOptions(yargs).option('json', { type: 'boolean', describe: 'an array of {zone, offset, from, to}' }),
  run: (args) => {
    const opened = openAll(args, [args.text('source')!], 'must');
    try {
      const { backend } = opened.mounted[0]!;
      if (!backend.repair) {
        throw new PstoreError('ENOTSUP', `${backend.path}: a source of ${backend.name} has no ECC to repair it by`);
      }
      const changes = backend.repair();
      if (args.flag('json')) print(`${JSON.stringify(changes, null, 1)}\n`);
      else
        for (const { zone, offset, from, to } of changes)
          print(`${zone}: offset ${offset}: ${hex(from)} -> ${hex(to)}\n`);
    } finally {
      opened.close();
    }
    return EXIT.OK;
  },
};

function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, '0')}`;
}
