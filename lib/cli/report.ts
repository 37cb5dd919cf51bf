// pstorefuse report: one page of all that sources hold, for who has only a browser.

import { PstoreError } from '../errors.js';
import { explainedRow, type PageDump, PageIds, type PageSource, pageDumps, pageImage } from '../page/collect.js';
import type { PageImage, PageRow } from '../page/data.js';
import { documentPieces } from '../page/document.js';
import { html, type Markup } from '../page/html.js';
import { listMarkup, newestFirst } from '../page/listing.js';
import { overviewMarkup } from '../page/render.js';
import { bodyMarkup } from '../page/rows.js';
import { pageText } from '../page/text.js';
import { counted } from '../page/words.js';
import { isPipe } from '../source/files.js';
import { makeNewFile, writeFully } from '../storage/new-file.js';
import { textBeside } from './beside.js';
import { type Arguments, type Command, EXIT, type Opened, openAll, openingOptions } from './command.js';
import { sha256OfFile } from './hash.js';
import { isTerminal, print } from './print.js';

/** scripts/pages builds it. */
const TEMPLATE = 'report.html';

/** Pieces are written together until they are so many characters. */
const PIECE = 1 << 18;

export const report: Command = {
  usage: 'report <source..> --output <file>',
  pattern: 'report <source..>',
  summary: 'Make one page of all that sources hold, which any browser shows from the disk',
  examples: [
    ['$0 report mmcblk0p7.raw -o report.html', 'for a colleague who has only a browser'],
    ['$0 report *.raw --hash > report.html', 'all images of a bench, with their SHA-256'],
  ],
  details: [
    'The page shows crashes over time, groups of equal crashes, a map of each image, and every record, erased ones too, ' +
      'with title, verdict, call trace and text. It is one file, which connects to nothing and is readable without ' +
      'JavaScript; with it the texts can be searched, and records saved. All times are UTC.',
    'Keys stand after each SOURCE (image.raw,kmsg_size=64K), since -o is the output. docs/viewer.html is the same page ' +
      'without data: drop an image on it.',
  ],
  build: (yargs) =>
    openingOptions(yargs)
      .option('output', { alias: 'o', type: 'string', requiresArg: true, describe: 'the page: must not exist' })
      .option('hash', { type: 'boolean', describe: 'tell the SHA-256 of each image, too' }),
  run: (args) => {
    const output = args.text('output');
    if (output === undefined && isTerminal()) {
      throw new PstoreError('EINVAL', 'the page is not for a terminal; give -o report.html, or redirect it to a file');
    }
    const opened = openAll(args.without('o'), args.list('source'), 'read');
    try {
      write(output, pageOf(opened, args));
    } finally {
      opened.close();
    }
    return opened.partly ? EXIT.PARTLY : EXIT.OK;
  },
};

function write(path: string | undefined, pieces: Iterable<string>): void {
  if (path === undefined) {
    for (const piece of together(pieces)) print(piece);
    return;
  }
  makeNewFile(path, {
    size: 0,
    mode: 0o666,
    fill: (fd) => {
      for (const piece of together(pieces)) writeFully(fd, Buffer.from(piece), null);
    },
  });
}

function* together(pieces: Iterable<string>): Generator<string> {
  let held = '';
  for (const piece of pieces) {
    held += piece;
    if (held.length < PIECE) continue;
    yield held;
    held = '';
  }
  yield held;
}

function pageOf(opened: Opened, args: Arguments): Generator<string> {
  const sources = opened.mounted.map((mounted) => sourceOf(mounted, args.flag('hash')));
  const ids = new PageIds();
  const dumps = new Map<string, PageDump>();
  for (const [i, source] of sources.entries()) {
    const prefix = sources.length > 1 ? `${source.mounted.backend.path}/` : '';
    for (const each of pageDumps(source, i, ids, prefix)) dumps.set(each.row.id, explained(each));
  }
  const images = sources.map(pageImage);
  const rows = newestFirst(Array.from(dumps.values(), ({ row }) => row));
  const warnings = sources.map(({ mounted }) => mounted.backend.warnings.list.map(({ message }) => message));
  const what = images.length === 1 ? images[0]!.path : counted(images.length, 'image');
  return documentPieces(textBeside(TEMPLATE), {
    TITLE: [html`${what}: crashes`],
    HEADING: [html`${what} <small>${images.length === 1 && `${images[0]!.backend}, `}report of pstorefuse</small>`],
    MAIN: mainOf(images, rows, warnings, (row) => bodyOf(dumps.get(row.id)!, images[row.image]!)),
    FOOTER: [html`Made ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC. The page connects to nothing.`],
    CORE: [],
  });
}

function* mainOf(
  images: readonly PageImage[],
  rows: readonly PageRow[],
  warnings: readonly (readonly string[])[],
  body: (row: PageRow) => Markup,
): Generator<Markup> {
  yield overviewMarkup({ images, rows, warnings });
  yield* listMarkup(rows, images, body);
}

/** One that cannot be read is shown as it is: its place says why. */
function explained(each: PageDump): PageDump {
  try {
    return { ...each, row: explainedRow(each) };
  } catch (error) {
    if (!(error instanceof PstoreError)) throw error;
    return each;
  }
}

/** A record that cannot be read says so in its place, and the others are there. */
function bodyOf({ row, dump }: PageDump, image: PageImage): Markup {
  try {
    return bodyMarkup(row, image, pageText(dump), false);
  } catch (error) {
    if (!(error instanceof PstoreError)) throw error;
    return html`<p class="failed">${error.message}</p>`;
  }
}

function sourceOf(mounted: Opened['mounted'][number], isHashed: boolean): PageSource {
  const { source } = mounted;
  const { path } = source.spec;
  const { from, to, whole } = source.identity;
  const isFile = source.kind.source === 'file';
  const facts: [string, string][] = [['file', isFile ? `${path} (${whole} bytes)` : path]];
  if (isFile && to - from !== whole) facts.push(['part', `${to - from} bytes from offset ${from} on`]);
  if (isHashed && isFile && !isPipe(path)) facts.push(['SHA-256', sha256OfFile(path)]);
  return { mounted, size: to - from, facts };
}
