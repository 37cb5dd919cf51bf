// pstorefuse undelete: takes back what erasing a record has written, where that is safe.

import type { Arguments, Command, Opened } from './command.js';
import { openAll, sourceOptions, withEach } from './command.js';
import { DryRun } from './dry-run.js';
import { erasedOf } from './erased.js';

export const undelete: Command = {
  usage: 'undelete <source> <name..>',
  summary: 'Take back what erasing records has written, where that is safe',
  examples: [
    ['$0 ls --erased mmcblk0p7.raw', 'what was erased'],
    ['$0 undelete mmcblk0p7.raw dmesg-pstore_blk-1', 'it is a record again'],
  ],
  build: (yargs) =>
    sourceOptions(yargs).option('dry-run', { type: 'boolean', describe: 'only say what would be written' }),
  run: (args: Arguments) => {
    const dry = args.flag('dry-run') ? new DryRun() : undefined;
    const opened = openAll(args, [args.text('source')!], 'must', { ofRecords: true, overlay: dry?.overlay });
    try {
      const erased: Opened = { ...opened, mounted: opened.mounted.map(erasedOf) };
      const status = withEach(args.list('name'), erased, ({ mounted, record }) =>
        (mounted as ReturnType<typeof erasedOf>).backend.undelete(record.slot),
      );
      dry?.tell();
      return status;
    } finally {
      opened.close();
    }
  },
};
