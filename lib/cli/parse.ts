// The arguments of a command: parsed by yargs, and what becomes of what a command throws.

import { existsSync, readFileSync } from 'node:fs';
import type { Argv } from 'yargs';
import { PstoreError } from '../errors.js';
import { systemDeviceCalls } from '../mount/syscalls.js';
import { didYouMean, nearest } from '../source/nearest.js';
import { useDeviceCalls } from '../storage/device-calls.js';
import { Arguments, type Command, EXIT } from './command.js';
import { foldedHelp } from './fold.js';
import { plainArguments } from './plain.js';
import { complain, OutputClosed, OutputFailed, print } from './print.js';
import { PARSER_CONFIGURATION, prepared, withoutMark } from './words.js';

/** What is wrong with the arguments; the form of the command is told with it. */
class UsageError extends Error {}

/** An option that the command does not have; it is said what to give instead. */
class UnknownOption extends Error {
  /** @param option with its dashes, and perhaps a value after it */
  constructor(option: string, { command, options }: Called) {
    const [given = ''] = option.split('=');
    const long = options.filter((word) => word.length > 1).map((word) => `--${word}`);
    const name = nearest(given, long) === undefined ? unknownPart(given, options) : given;
    const [word] = (command.pattern ?? command.usage).split(' ');
    super(`there is no option ${name}; ${didYouMean(name, long, `pstorefuse ${word} --help lists them`)}`);
  }
}

/** Of several short options in one word, as in `-la`, the one that is not known. */
function unknownPart(option: string, options: readonly string[]): string {
  const [, letters = ''] = /^-([^-].*)/s.exec(option) ?? [];
  const unknown = options.includes(letters.charAt(0)) && [...letters].find((letter) => !options.includes(letter));
  return unknown ? `-${unknown}` : option;
}

/** Told where arguments are missing: a file may have gone to an option, as in `ls -n FILE`. */
function takenText(words: readonly string[], { options, flags }: Called): string {
  for (const [i, word] of [...words.entries()].reverse()) {
    const [, dashed = '', name = '', joined] = /^(--?([^=-][^=]*))(?:=\0(.*))?$/s.exec(word) ?? [];
    const value = joined ?? words[i + 1];
    if (value === undefined || !options.includes(name) || flags.includes(name)) continue;
    const file = withoutMark(value);
    if (existsSync(file)) return `: ${file} is taken for the value of ${dashed}`;
  }
  return '';
}

interface Called {
  readonly command: Command;
  /** Without dashes. */
  readonly options: readonly string[];
  /** Those of them that take no value. */
  readonly flags: readonly string[];
}

function calledBy(command: Command, yargs: Argv): Called {
  // yargs' types leave getOptions() out.
  const { key, boolean } = (yargs as Argv & { getOptions(): { key: object; boolean: string[] } }).getOptions();
  return { command, options: Object.keys(key), flags: boolean };
}

/** yargs takes any value but `true` for no. @throws PstoreError EINVAL */
function checkFlags(words: readonly string[], { flags }: Called): void {
  for (const word of words) {
    const [, name = '', value] = /^--?([^=]+)=(.*)$/s.exec(word) ?? [];
    if (flags.includes(name) && value !== 'true' && value !== 'false') {
      throw new PstoreError('EINVAL', `${word}: the option --${name} takes no value`);
    }
  }
}

/** Whether it is written as an option, or some in one, and not all of these are known. */
function isUnknown(word: string, options: readonly string[]): boolean {
  const [, dashes, name = ''] = /^(--?)([^=]+)/.exec(word) ?? [];
  if (dashes === undefined) return false;
  return (dashes === '--' ? [name] : [...name]).some((one) => !options.includes(one));
}

/** Whether it is a short option with its value, as `-n5` is. */
function holdsValue(word: string, { options, flags }: Called): boolean {
  const [, name] = /^-([^-])./.exec(word) ?? [];
  return name !== undefined && options.includes(name) && !flags.includes(name);
}

/**
 * Parses the arguments and runs the command.
 * @param packageFile path of package.json, which has our version
 * @returns the exit status
 */
export async function runCommand(
  argv: readonly string[],
  commands: readonly Command[],
  packageFile: string,
): Promise<number> {
  useDeviceCalls(systemDeviceCalls);
  try {
    return await parse(argv, commands, packageFile);
  } catch (error) {
    if (error instanceof OutputClosed) return EXIT.OK;
    if (error instanceof PstoreError || error instanceof OutputFailed) {
      complain(error.message);
      return error.exit;
    }
    if (error instanceof UnknownOption) {
      complain(error.message);
      return EXIT.USAGE;
    }
    if (error instanceof UsageError) {
      const form = commands.length === 1 ? `it goes: pstorefuse ${commands[0]!.usage}` : 'see pstorefuse --help';
      complain(`${error.message}; ${form}`);
      return EXIT.USAGE;
    }
    complain(`a bug of pstorefuse, please report it: ${(error as Error).stack ?? error}`);
    return EXIT.SOFTWARE;
  }
}

const NOT_ENOUGH = 'there are not enough arguments';

/** yargs' own words for what is wrong with arguments, in ours. */
const WORDS: Readonly<Record<string, string | { one: string; other: string }>> = {
  'Not enough non-option arguments: got %s, need at least %s': both(`${NOT_ENOUGH} (%s of %s)`),
  'Unknown argument: %s': both('there is no place for %s'),
  'Not enough arguments following: %s': 'a value is missing after -%s',
};

function both(text: string): { one: string; other: string } {
  return { one: text, other: text };
}

async function parse(argv: readonly string[], commands: readonly Command[], packageFile: string): Promise<number> {
  const words = prepared(argv);
  const plain = commands.length === 1 ? plainArguments(words, commands[0]!) : undefined;
  if (plain) return await commands[0]!.run(plain);
  const { default: yargs } = await import('yargs');
  let status: number = EXIT.OK;
  /** The command that is parsed, and its options. */
  let called: Called | undefined;
  let parser: Argv = yargs()
    .scriptName('pstorefuse')
    .usage('$0 [mount] SOURCE... MOUNTPOINT [-o OPTIONS] [-f]')
    .usage('$0 COMMAND ...')
    .example('$0 mmcblk0p7.raw /mnt', 'every record becomes a file; rm erases it')
    .example('$0 COMMAND --help', 'the options of a command')
    .parserConfiguration(PARSER_CONFIGURATION)
    .updateStrings(WORDS as Record<string, string>)
    .help('help')
    .alias('h', 'help')
    .version(version(packageFile))
    .alias('V', 'version')
    .locale('en')
    // Cutting lines by itself, it cuts words: see foldedHelp().
    .wrap(null)
    .strict()
    .demandCommand(1, 'a command or a source is missing')
    .exitProcess(false)
    .showHelpOnFail(false)
    .fail((message: string | undefined, error: Error | undefined) => {
      if (error && error.name !== 'YError') throw error;
      const option = called && words.find((word) => isUnknown(word, called!.options));
      if (option !== undefined) throw new UnknownOption(option, called!);
      // Of a long name yargs tells neither of the dashes.
      const told = (message ?? error?.message)?.replace(/ -(?=\w[\w-])/, ' --');
      throw new UsageError(told?.startsWith(NOT_ENOUGH) && called ? told + takenText(words, called) : told);
    });
  for (const command of commands) {
    parser = parser.command(
      command.pattern ?? command.usage,
      command.summary,
      (builder) => {
        let built = command.build(builder as Argv);
        for (const paragraph of command.details ?? []) built = built.epilogue(paragraph);
        for (const [example, text] of command.examples) built = built.example(example, text);
        called = calledBy(command, built);
        return built;
      },
      async (values) => {
        checkFlags(words, called!);
        // yargs hands an unknown option on as an argument, and makes `true` of it where a single one is wanted.
        const unknown = words.find((word) => isUnknown(word, called!.options) && !holdsValue(word, called!));
        if (unknown !== undefined) throw new UnknownOption(unknown, called!);
        status = await command.run(argumentsOf(values, called!));
      },
    );
  }
  await parser.parseAsync(words, {}, (error: unknown, _: unknown, output: string) => {
    if (error) throw error;
    if (output !== '') print(`${foldedHelp(output, helpColumns())}\n`);
  });
  return status;
}

/** Of the terminal, or of any, where nobody looks. */
function helpColumns(): number {
  return Math.max(process.stdout.columns || 0, USUAL_COLUMNS);
}

const USUAL_COLUMNS = 80;

/**
 * What yargs made of prepared() arguments.
 * @throws UnknownOption for an option that yargs does not know, and hands on as if it were no option
 */
function argumentsOf(values: Readonly<Record<string, unknown>>, called: Called): Arguments {
  const taken = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(taken);
    if (typeof value !== 'string') return value;
    if (/^-./.test(value)) throw new UnknownOption(value, called);
    return withoutMark(value);
  };
  return new Arguments(Object.fromEntries(Object.entries(values).map(([name, value]) => [name, taken(value)])));
}

/** Set where a bundle has it built in. */
declare const PSTOREFUSE_VERSION: string | undefined;

function version(packageFile: string): string {
  if (typeof PSTOREFUSE_VERSION !== 'undefined') return PSTOREFUSE_VERSION;
  return (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version;
}
