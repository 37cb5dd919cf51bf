// pstorefuse cat: the bytes of records on standard output; on a terminal only what does it no harm, in colours.

import { PstoreError } from '../errors.js';
import { JOINED_SUFFIX, JoinedView } from '../pstore/joined.js';
import { recordChunks } from '../triage/dump.js';
import { colorOption, isColored, LogPainter, painter } from './color.js';
import {
  type Command,
  EXIT,
  type Listed,
  listRecords,
  type Opened,
  openAll,
  sayIfNothing,
  sourceOptions,
  withEach,
} from './command.js';
import { erasedOf } from './erased.js';
import { isTerminal, print, printable, printableText } from './print.js';

export const cat: Command = {
  usage: 'cat <source> [name..]',
  summary: 'Print records',
  examples: [
    ['$0 cat mmcblk0p7.raw dmesg-pstore_blk-0', 'the text of one record'],
    ['$0 cat --all mmcblk0p7.raw | less -R', 'all of them'],
    ['$0 cat --joined OVMF_VARS.fd dmesg-efi_pstore-164099520801001', 'all parts of its dump as one text'],
  ],
  details: [
    'In a pipe the bytes are exact. On a terminal what would be obeyed by it is written as \\xNN or \\uNNNN (control ' +
      'characters, and those that turn the direction of text), the levels of the log have the colours of dmesg, and ' +
      'several records have their names before them.',
  ],
  build: (yargs) =>
    colorOption(sourceOptions(yargs))
      .option('joined', { type: 'boolean', describe: 'the whole dump that a record is a part of' })
      .option('erased', { type: 'boolean', describe: 'what is left of erased records' })
      .option('all', { type: 'boolean', describe: 'all records; with --joined all dumps' }),
  run: (args) => {
    const names = args.list('name');
    const all = args.flag('all');
    if (all && names.length > 0) throw new PstoreError('EINVAL', 'give names or --all, not both');
    if (!all && names.length === 0)
      throw new PstoreError(
        'EINVAL',
        `${args.text('source')}: give names of records, or --all; pstorefuse ls${args.flag('erased') ? ' --erased' : ''} shows them`,
      );
    const found = openAll(args, [args.text('source')!], 'read', { ofRecords: true });
    const opened: Opened = args.flag('erased') ? { ...found, mounted: found.mounted.map(erasedOf) } : found;
    try {
      const isJoined = args.flag('joined') || names.some((name) => name.endsWith(JOINED_SUFFIX));
      const shown = isJoined ? joinedToo(opened, args.flag('joined')) : opened;
      const output = new Output(isColored(args), all || names.length > 1);
      const wanted = all ? Array.from(listRecords(shown.mounted), ({ record }) => record.name) : names;
      const status = withEach(wanted, shown, (found) => output.print(found));
      if (all) sayIfNothing(shown.mounted, args.flag('erased') ? 'erased record' : 'record');
      return status === EXIT.OK && opened.partly ? EXIT.PARTLY : status;
    } finally {
      opened.close();
    }
  },
};

/** Standard output, as it is for a program or for a person. */
class Output {
  readonly #paint: LogPainter | undefined;
  readonly #several: boolean;

  /** @param several whether the records have their names before them, on a terminal */
  constructor(colored: boolean, several: boolean) {
    this.#paint = colored ? new LogPainter(painter(true)) : undefined;
    this.#several = several && isTerminal();
  }

  print(found: Listed): void {
    const { name, type } = found.record;
    if (this.#several) print(`==> ${printable(name)} <==\n`);
    const show = isTerminal() ? printableText() : undefined;
    // Bytes that are no text are not made one, unless a terminal gets them.
    const painter = show || type === 'dmesg' || type === 'console' ? this.#paint : undefined;
    const decoder = new TextDecoder();
    for (const bytes of recordChunks(found)) {
      if (!show && !painter) print(bytes);
      else {
        const text = show ? show(bytes) : decoder.decode(bytes, { stream: true });
        print(painter ? painter.push(text) : text);
      }
    }
    if (painter) print(painter.end());
  }
}

/** The sources, and each dump of theirs as one record. @param only whether parts are not shown by themselves */
function joinedToo(opened: Opened, only: boolean): Opened {
  const joined = opened.mounted.map((mounted) => ({
    ...mounted,
    backend: new JoinedView(mounted.backend, { byPart: true }),
  }));
  return { ...opened, mounted: only ? joined : [...opened.mounted, ...joined] };
}
