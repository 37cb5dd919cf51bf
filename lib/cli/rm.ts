// pstorefuse rm: erases records in the source, as unlink does in a mount.

import { clearImmutable } from '../mount/syscalls.js';
import { clearImmutableBy } from '../storage/immutable.js';
import { type Command, openAll, sourceOptions, withEach } from './command.js';

export const rm: Command = {
  usage: 'rm <source> <name..>',
  summary: 'Erase records (only the length in their header is set to 0)',
  examples: [['$0 rm mmcblk0p7.raw dmesg-pstore_blk-0', 'as rm in a mount does']],
  build: (yargs) => sourceOptions(yargs),
  run: (args) => {
    clearImmutableBy(clearImmutable);
    const opened = openAll(args, [args.text('source')!], 'must');
    try {
      return withEach(args.list('name'), opened, ({ mounted, record }) => mounted.backend.erase(record.slot));
    } finally {
      opened.close();
    }
  },
};
