// pstorefuse explain: what crashed, where, and whether the text may be believed.

import { parseSource } from '../source/sources.js';
import { shownPath } from '../source/typed.js';
import { exists } from '../storage/path.js';
import type { Crash } from '../triage/crash.js';
import { type ExplainOptions, writer } from '../triage/explain.js';
import { type Explained, explainDump, explainRecords } from '../triage/explained.js';
import type { Frame } from '../triage/frame.js';
import {
  type Arguments,
  type Command,
  EXIT,
  findDump,
  listRecords,
  openAll,
  sayIfNothing,
  sourceOptions,
} from './command.js';
import { besideLabel } from './fold.js';
import { complain, isTerminal, json, print, printable } from './print.js';
import { locate } from './source-lines.js';
import { explainFile, explainStdin, isText } from './texts.js';

/** With --all, so many crashes of one text are told of; more are counted. */
const MAX_CRASHES = 10_000;

/** Frames that a person sees; --json has all. */
const MAX_FRAMES = 12;

export const explain: Command = {
  usage: 'explain [source] [name..]',
  summary: 'Say what crashed: title, function, signature, stack, and whether the text may be believed',
  examples: [
    ['$0 explain mmcblk0p7.raw', 'every record of an image'],
    ['dmesg | $0 explain', 'the last crash in a log'],
    ['$0 explain --first --json console.log', 'the first one, for programs'],
  ],
  build: (yargs) =>
    sourceOptions(yargs)
      .option('first', { type: 'boolean', describe: 'the first crash of each text, not the one that wrote the record' })
      .option('all', { type: 'boolean', describe: 'all crashes of each text' })
      .option('json', { type: 'boolean', describe: 'an array of objects, one a crash' })
      .option('vmlinux', {
        type: 'string',
        requiresArg: true,
        describe: 'lines of source from the debugging information of this vmlinux',
      }),
  run: async (args) => {
    const [place = '-', ...names] = [...args.list('source'), ...args.list('name')];
    const lines = new SourceLines(args);
    const shown = args.flag('json') ? new JsonOutput() : new PeopleOutput();
    const push = (explained: Explained) => shown.push(explained, lines.add(asked(explained, args)));
    const output = { push, end: () => shown.end() };
    const options = { most: args.flag('all') ? MAX_CRASHES : args.flag('first') ? 1 : 100, first: args.flag('first') };
    if (!isSpelledAsSource(place) && isText(place)) {
      for (const text of [place, ...names]) {
        output.push(text === '-' ? explainStdin(options) : await explainFile(text, options));
      }
      output.end();
      return EXIT.OK;
    }
    return explainSource(args, [place, ...names], output, options);
  },
};

/** Whether it names a backend, or has keys; a file of that very name, with a comma in it, may be a text, too. */
function isSpelledAsSource(place: string): boolean {
  if (place === '-' || exists(place)) return false;
  const { kind, keys, path } = parseSource(place);
  return kind !== undefined || keys.length > 0 || path !== place;
}

function explainSource(
  args: Arguments,
  [place, ...names]: readonly [string, ...string[]],
  output: { push(explained: Explained): void; end(): void },
  options: ExplainOptions,
): number {
  const opened = openAll(args, [place], 'read', { ofRecords: true });
  try {
    if (names.length === 0)
      for (const explained of explainRecords(listRecords(opened.mounted), options)) output.push(explained);
    for (const name of names) output.push(explainDump(findDump(opened.mounted, name), options));
    output.end();
    sayIfNothing(opened.mounted);
  } finally {
    opened.close();
  }
  return opened.partly ? EXIT.PARTLY : EXIT.OK;
}

/** The crashes of a text that were asked for. */
function asked({ explanation, reason }: Explained, args: Arguments): readonly Crash[] {
  if (args.flag('all')) return explanation.crashes;
  const crash = args.flag('first') ? explanation.crashes[0] : writer(explanation, reason ?? undefined);
  return crash ? [crash] : [];
}

/** With lines of source, where --vmlinux is given; what keeps these from being known is said once. */
class SourceLines {
  readonly #vmlinux: string | undefined;
  readonly #said = new Set<string>();

  constructor(args: Arguments) {
    this.#vmlinux = args.text('vmlinux');
  }

  add(crashes: readonly Crash[]): readonly Crash[] {
    if (this.#vmlinux === undefined) return crashes;
    const located = locate(crashes, this.#vmlinux);
    const { sentence } = located;
    if (sentence !== undefined && !this.#said.has(sentence)) complain(sentence);
    if (sentence !== undefined) this.#said.add(sentence);
    return located.crashes;
  }
}

class JsonOutput {
  #separator = '[\n';

  push(explained: Explained, crashes: readonly Crash[]): void {
    for (const crash of crashes.length === 0 ? [undefined] : crashes) {
      print(this.#separator + json(jsonCrash(explained, crash)));
      this.#separator = ',\n';
    }
  }

  end(): void {
    print(this.#separator === '[\n' ? '[]\n' : '\n]\n');
  }
}

/** What is known of a crash, or of a text without one: then the crash's own facts are null. */
export function jsonCrash({ path, names, reason, time, explanation }: Explained, crash: Crash | undefined): object {
  const { crashes, skipped, kernel, build, architecture, hardware, machine, verdict, reasons } = explanation;
  const from = crash ?? { kernel, build, architecture, hardware, machine, verdict, reasons };
  return {
    path,
    names,
    reason,
    time,
    title: crash?.title ?? null,
    kind: crash?.kind ?? null,
    function: crash?.function ?? null,
    signature: crash?.signature ?? null,
    panicked: crash?.panicked ?? null,
    frames: crash?.frames.map(jsonFrame) ?? [],
    kernel: from.kernel,
    build: from.build,
    architecture: from.architecture,
    hardware: from.hardware,
    machine: from.machine,
    comm: crash?.comm ?? null,
    pid: crash?.pid ?? null,
    cpu: crash?.cpu ?? null,
    taint: crash?.taint ?? null,
    uptime: crash?.uptime ?? null,
    wall: crash?.wall ?? null,
    modules: crash?.modules ?? [],
    line: crash?.line ?? null,
    crashes: crashes.length + skipped,
    verdict: from.verdict,
    reasons: from.reasons,
  };
}

function jsonFrame({ name, symbol, offset, module, source }: Frame): object {
  return { function: name, symbol, offset: offset ?? null, module: module ?? null, source: source ?? null };
}

class PeopleOutput {
  #separator = '';

  push(explained: Explained, crashes: readonly Crash[]): void {
    if (crashes.length === 0) this.#print(noCrash(explained));
    for (const crash of crashes) this.#print(paragraph(explained, crash, crashes.length));
  }

  end(): void {}

  #print(lines: readonly string[]): void {
    print(`${this.#separator}${lines.join('\n')}\n`);
    this.#separator = '\n';
  }
}

type Fact = readonly [string, string | null | undefined];

const LABEL_WIDTH = 12;

function factLines(facts: readonly Fact[]): string[] {
  const columns = isTerminal() ? Math.max(40, process.stdout.columns || 80) : Number.POSITIVE_INFINITY;
  return facts.flatMap(([label, value]) =>
    value ? besideLabel(`  ${label.padEnd(LABEL_WIDTH - 2)}`, value.split(' '), columns) : [],
  );
}

const placeOf = ({ path, names }: Explained): string => {
  const shown = names.length > 3 ? `${names[0]} to ${names.at(-1)} (${names.length} parts)` : names.join(', ');
  return `${shownPath(path)}${shown === '' ? '' : ` ${shown}`}`;
};

function noCrash(explained: Explained): string[] {
  const { explanation, reason } = explained;
  const { crashes, kernel, machine, verdict, reasons } = explanation;
  const earlier = crashes.at(-1);
  return [
    reason === null || reason === 'Oops' || reason === 'Panic' ? 'no crash' : `no crash: ${printable(reason)}`,
    ...factLines([
      ['in', placeOf(explained)],
      ['kernel', kernel],
      ['machine', machine],
      ['before it', earlier && `${earlier.title} (line ${earlier.line})`],
      ['verdict', [verdict === 'ok' ? '' : `${verdict}.`, ...reasons].join(' ').trim()],
    ]),
  ];
}

function paragraph(explained: Explained, crash: Crash, shown: number): string[] {
  const { explanation } = explained;
  const more = explanation.crashes.length + explanation.skipped - shown;
  const { kernel, architecture, taint, verdict, reasons } = crash;
  return [
    printable(crash.title),
    ...factLines([
      ['in', placeOf(explained)],
      ['signature', crash.signature],
      ['kernel', [kernel, architecture && `(${architecture})`].filter(Boolean).join(' ')],
      ['machine', [crash.machine, crash.hardware].filter(Boolean).join(', ')],
      ['task', taskWords(crash)],
      ['taint', taint && (taint.flags === '' ? 'none' : `${taint.flags}: ${taint.words.join('; ')}`)],
      [
        'when',
        [crash.uptime === null ? '' : `${crash.uptime.toFixed(3)} s after start`, crash.wall]
          .filter(Boolean)
          .join(', '),
      ],
      ['written', explained.time],
      ['verdict', [`${verdict}.`, ...reasons].join(' ')],
      ['also', more > 0 ? `${more} more ${more === 1 ? 'crash' : 'crashes'} in this text; --all shows them` : null],
    ]),
    ...stackLines(crash.frames),
  ];
}

function taskWords({ comm, pid, cpu }: Crash): string | null {
  const words = [comm, pid === null ? null : `pid ${pid}`, cpu === null ? null : `CPU ${cpu}`].filter(Boolean);
  return words.length === 0 ? null : words.join(', ');
}

function stackLines(frames: readonly Frame[]): string[] {
  const lines = frames.slice(0, MAX_FRAMES).map(({ symbol, offset, module, source }) => {
    const place = offset === undefined ? '' : `+${offset}`;
    return printable(
      `${symbol}${place}${module === undefined ? '' : ` [${module}]`}${source === undefined ? '' : ` ${source}`}`,
    );
  });
  if (frames.length > MAX_FRAMES) lines.push(`… and ${frames.length - MAX_FRAMES} more`);
  return lines.map((line, i) => `${i === 0 ? '  stack'.padEnd(LABEL_WIDTH) : ' '.repeat(LABEL_WIDTH)}${line}`);
}
