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
