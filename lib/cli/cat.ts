// pstorefuse cat: the bytes of records on standard output.

import { type Command, EXIT, findRecord, openAll, sourceOptions } from './command.js';
import { print } from './print.js';

/** Bytes that are read and written at a time. */
const CHUNK = 1 << 20;

export const cat: Command = {
  usage: 'cat <source> <name..>',
  summary: 'Print records',
  examples: [['$0 cat mmcblk0p7.raw dmesg-blkoops-0', 'the text of one record']],
  build: (yargs) =>
    sourceOptions(yargs)
      .positional('source', { type: 'string', describe: '[BACKEND:]PATH[,key=value]...' })
      .positional('name', { type: 'string', array: true, describe: 'as ls shows it' }),
  run: (args) => {
    const opened = openAll(args, [args.text('source')!], 'read');
    try {
      const found = args.list('name').map((name) => findRecord(opened.mounted, name));
      for (const { mounted, record } of found) {
        const content = mounted.backend.open(record.slot);
        const buffer = new Uint8Array(Math.max(1, Math.min(CHUNK, content.size)));
        for (let position = 0; position < content.size; ) {
          const got = content.read(buffer, position);
          if (got === 0) break;
          print(buffer.subarray(0, got));
          position += got;
        }
      }
    } finally {
      opened.close();
    }
    return EXIT.OK;
  },
};
