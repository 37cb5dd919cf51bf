// pstorefuse rm: erases records in the source, as unlink does in a mount.

import { type Command, findDump, openAll, sourceOptions, withEachName } from './command.js';
import { DryRun } from './dry-run.js';
import { answer } from './question.js';

export const rm: Command = {
  usage: 'rm <source> <name..>',
  summary: 'Erase records, as their kernel would: in most formats only the length in the header is set to 0',
  examples: [
    ['$0 rm mmcblk0p7.raw dmesg-pstore_blk-0', 'as rm in a mount does'],
    ['$0 rm OVMF_VARS.fd dmesg-efi_pstore-164099520801001.joined', 'all parts of a dump'],
    ['$0 rm --dry-run mmcblk0p7.raw dmesg-pstore_blk-0', 'which bytes that would write'],
  ],
  build: (yargs) =>
    sourceOptions(yargs)
      .option('dry-run', { type: 'boolean', describe: 'only say what would be written' })
      .option('i', { type: 'boolean', describe: 'ask before each' }),
  run: (args) => {
    const dry = args.flag('dry-run') ? new DryRun() : undefined;
    const opened = openAll(args, [args.text('source')!], 'must', { ofRecords: true, overlay: dry?.overlay });
    try {
      // A format may erase several records together: those that went with another one are erased, too.
      const gone = new Set<string>();
      const status = withEachName(args.list('name'), (name) => {
        if (gone.has(name)) return;
        const { parts } = findDump(opened.mounted, name);
        const what = parts.length === 1 ? name : `${name} (${parts.length} records)`;
        if (args.flag('i') && !answer(`erase ${what}?`)) return;
        for (const { kept } of parts) {
          const { backend } = kept.mounted;
          const others = (backend.erasedWith?.(kept.record.slot) ?? []).map((slot) => backend.record(slot)?.name);
          backend.erase(kept.record.slot);
          for (const other of others) if (other !== undefined) gone.add(other);
        }
      });
      dry?.tell();
      return status;
    } finally {
      opened.close();
    }
  },
};
