// Manual pages of the commands, from the same table as their help.

import { commandsFor } from './commands.js';
import { type CommandRow, commandTable, dashed } from './option-table.js';

/** Page by file name: `pstorefuse-ls.1`. @param version of the package */
export async function manualPages(version: string): Promise<Map<string, string>> {
  const pages = new Map<string, string>();
  for (const row of commandTable(await commandsFor(undefined)))
    pages.set(`pstorefuse-${row.name}.1`, page(row, version));
  return pages;
}

/** `.\\" COMMAND ls`: the command as a whole. `.\\" USAGE rm`: only how it is called, before text that says more. */
const MARK = /^\.\\" (COMMAND|USAGE) ([a-z-]+)$/gm;

/** The page of the whole program: its commands' options stand where its text has their marks. */
export async function mainPage(text: string): Promise<string> {
  const rows = new Map(commandTable(await commandsFor(undefined)).map((row) => [row.name, row]));
  return text.replace(MARK, (mark, what: string, name: string) => {
    const row = rows.get(name);
    if (row === undefined) throw new Error(`there is no command ${name}, which the manual page names: ${mark}`);
    const more = what === 'COMMAND' ? [`${roff(row.command.summary)}; see`, `.BR pstorefuse\\-${roff(name)} (1)`] : [];
    return ['.TP', callOf(row), ...more].join('\n');
  });
}

/** Options that all commands with a source have; the page tells of them once. */
const SHARED: ReadonlySet<string> = new Set(['backend', 'strict', 'salvage', 'no-cap', 'o']);

/** `ls [-l] [--since|-S VALUE] …` */
function callOf({ command, options }: CommandRow): string {
  const own = options.filter(({ names }) => !names.some((name) => SHARED.has(name)));
  const words = own.map(({ names, takesValue }) => {
    const called = names.map((name) => `\\fB${roff(dashed(name))}\\fR`).join('|');
    return `[${called}${takesValue ? ' \\fIVALUE\\fR' : ''}]`;
  });
  const [name = '', ...operands] = command.usage.split(' ');
  return [`\\fB${roff(name)}\\fR`, ...words, ...operands.map(roff)].join(' ');
}

/** Text of a page: no line of ours begins with a request, and dashes are those that can be copied. */
function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1');
}

function page({ name, command, options }: CommandRow, version: string): string {
  const lines = [
    `.\\" Made from the table of the command's help: see lib/cli/manual.ts.`,
    `.TH PSTOREFUSE\\-${name.toUpperCase().replaceAll('-', '\\-')} 1 "2026" "pstorefuse ${version}" "User Commands"`,
    '.SH NAME',
    `pstorefuse\\-${roff(name)} \\- ${roff(command.summary.charAt(0).toLowerCase() + command.summary.slice(1))}`,
    '.SH SYNOPSIS',
    '.B pstorefuse',
    roff(command.usage),
    '.RI [ OPTIONS ]',
  ];
  if (command.details) {
    lines.push('.SH DESCRIPTION');
    for (const [i, paragraph] of command.details.entries()) lines.push(...(i > 0 ? ['.PP'] : []), roff(paragraph));
  }
  if (options.length > 0) {
    lines.push('.SH OPTIONS');
    for (const { names, takesValue, text } of options) {
      const words = names.toReversed().map((one) => `\\fB${roff(dashed(one))}\\fR`);
      lines.push('.TP', words.join(', ') + (takesValue ? ' \\fIVALUE\\fR' : ''), roff(text));
    }
  }
  lines.push('.SH EXAMPLES');
  for (const [example, text] of command.examples) {
    lines.push('.TP', `.B ${roff(example.replace('$0', 'pstorefuse')).replaceAll('"', '\\(dq')}`, roff(text));
  }
  lines.push('.SH SEE ALSO', '.BR pstorefuse (1),', '.BR pstorefuse\\-formats (5)');
  return `${lines.join('\n')}\n`;
}
