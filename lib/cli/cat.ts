// pstorefuse cat: the bytes of records on standard output.

import type { RecordContent } from '../pstore/backend.js';
import { type Command, openAll, sourceOptions, withEach } from './command.js';
import { isTerminal, print, printableText } from './print.js';

/** Bytes that are read and written at a time. */
const CHUNK = 1 << 20;

export const cat: Command = {
  usage: 'cat <source> <name..>',
  summary: 'Print records',
  examples: [['$0 cat mmcblk0p7.raw dmesg-pstore_blk-0', 'the text of one record']],
  build: (yargs) => sourceOptions(yargs),
  run: (args) => {
    const opened = openAll(args, [args.text('source')!], 'read');
    const show = isTerminal() ? printableText() : (bytes: Uint8Array) => bytes;
    try {
      return withEach(args.list('name'), opened, ({ mounted, record }) => {
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

function* chunks(content: RecordContent): Generator<Uint8Array> {
  const buffer = new Uint8Array(Math.max(1, Math.min(CHUNK, content.size)));
  for (let position = 0; position < content.size; ) {
    const got = content.read(buffer, position);
    if (got === 0) return;
    yield buffer.subarray(0, got);
    position += got;
  }
}
