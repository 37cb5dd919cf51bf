// pstorefuse rm: erases records in the source, as unlink does in a mount.

import { PstoreError } from '../errors.js';
import { type Command, EXIT, findRecord, openAll, sourceOptions } from './command.js';
import { complain } from './print.js';

export const rm: Command = {
  usage: 'rm <source> <name..>',
  summary: 'Erase records in the source (only the length in their header is set to 0)',
  examples: [['$0 rm mmcblk0p7.raw dmesg-blkoops-0 dmesg-blkoops-1', 'erase two records']],
  build: (yargs) =>
    sourceOptions(yargs)
      .positional('source', { type: 'string', describe: '[BACKEND:]PATH[,key=value]...' })
      .positional('name', { type: 'string', array: true, describe: 'as ls shows it' }),
  run: (args) => {
    const opened = openAll(args, [args.text('source')!], 'must');
    let failures = 0;
    let last: PstoreError | undefined;
    const names = args.list('name');
    try {
      for (const name of names) {
        try {
          const { mounted, record } = findRecord(opened.mounted, name);
          mounted.backend.erase(record.slot);
        } catch (error) {
          if (!(error instanceof PstoreError)) throw error;
          complain(error.message);
          failures++;
          last = error;
        }
      }
    } finally {
      opened.close();
    }
    if (failures === 0) return EXIT.OK;
    return failures === names.length ? last!.exit : EXIT.PARTLY;
  },
};
