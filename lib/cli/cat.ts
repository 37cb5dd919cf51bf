// pstorefuse cat: the bytes of records on standard output.

import type { RecordContent } from '../pstore/backend.js';
import { JOINED_SUFFIX, JoinedView } from '../pstore/joined.js';
import { type Command, type Opened, openAll, sourceOptions, withEach } from './command.js';
import { erasedOf } from './erased.js';
import { isTerminal, print, printableText } from './print.js';

/** Bytes that are read and written at a time. */
const CHUNK = 1 << 20;

export const cat: Command = {
  usage: 'cat <source> <name..>',
  summary: 'Print records',
  examples: [
    ['$0 cat mmcblk0p7.raw dmesg-pstore_blk-0', 'the text of one record'],
    ['$0 cat --joined OVMF_VARS.fd dmesg-efi_pstore-164099520801001', 'all parts of its dump as one text'],
  ],
  build: (yargs) =>
    sourceOptions(yargs)
      .option('joined', { type: 'boolean', describe: 'the whole dump that a record is a part of' })
      .option('erased', { type: 'boolean', describe: 'what is left of erased records' }),
  run: (args) => {
    const all = openAll(args, [args.text('source')!], 'read');
    const opened: Opened = args.flag('erased') ? { ...all, mounted: all.mounted.map(erasedOf) } : all;
    const show = isTerminal() ? printableText() : (bytes: Uint8Array) => bytes;
    try {
      const names = args.list('name');
      const isJoined = args.flag('joined') || names.some((name) => name.endsWith(JOINED_SUFFIX));
      return withEach(names, isJoined ? joinedToo(opened, args.flag('joined')) : opened, ({ mounted, record }) => {
        const content = mounted.backend.open(record.slot);
        try {
          for (const bytes of chunks(content)) print(show(bytes));
        } finally {
          content.close?.();
        }
      });
    } finally {
      opened.close();
    }
  },
};

/** The sources, and each dump of theirs as one record. @param only whether parts are not shown by themselves */
function joinedToo(opened: Opened, only: boolean): Opened {
  const joined = opened.mounted.map((mounted) => ({
    ...mounted,
    backend: new JoinedView(mounted.backend, { byPart: true }),
  }));
  return { ...opened, mounted: only ? joined : [...opened.mounted, ...joined] };
}

function* chunks(content: RecordContent): Generator<Uint8Array> {
  const buffer = new Uint8Array(Math.max(1, Math.min(CHUNK, content.size)));
  for (let position = 0; position < content.size; ) {
    const got = content.read(buffer, position);
    if (got === 0) return;
    yield buffer.subarray(0, got);
    position += got;
  }
}
