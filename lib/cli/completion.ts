// pstorefuse completion: a script for a shell that completes commands, options, keys of sources, and names of records.

import { PstoreError } from '../errors.js';
import { SOURCE_KEYS } from '../source/grammar.js';
import { type Command, EXIT } from './command.js';
import { type CommandRow, commandTable, dashed } from './option-table.js';
import { ACTIONS } from './overlay.js';
import { print } from './print.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** @param commands all of them, mount first */
export function completionCommand(commands: () => Promise<Command[]>): Command {
  return {
    usage: 'completion <shell>',
    summary: `Print a script that completes our command lines in ${SHELLS.join(', ')}`,
    examples: [
      ['$0 completion bash > /etc/bash_completion.d/pstorefuse', 'for all users'],
      ['$0 completion zsh > "$fpath[1]/_pstorefuse"', 'for zsh'],
      ['$0 completion fish > ~/.config/fish/completions/pstorefuse.fish', 'for fish'],
    ],
    details: [
      'Completed are commands, their options, the keys of a source after -o and after a comma, and, for cat, explain and ' +
        'rm, the names of the records in the image on the line, for undelete those of erased ones.',
    ],
    build: (yargs) => yargs,
    run: async (args) => {
      const shell = args.text('shell');
      const table = commandTable(await commands());
      if (shell === 'bash') print(bashScript(table));
      else if (shell === 'zsh')
        print(`#compdef pstorefuse\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(table)}`);
      else if (shell === 'fish') print(fishScript(table));
      else throw new PstoreError('EINVAL', `${shell} is no shell that is known; known are ${SHELLS.join(', ')}`);
      return EXIT.OK;
    },
  };
}

/** Commands that take names of records after their source. */
const OF_RECORDS = ['cat', 'explain', 'rm', 'undelete'];

const optionWords = ({ options }: CommandRow): string[] => options.flatMap(({ names }) => names.map(dashed));

/** Also for zsh, by its bashcompinit. Each word is quoted by hand: none of ours needs it, and names of records may. */
function bashScript(table: readonly CommandRow[]): string {
  const cases = table.map((row) => `    ${row.name}) options="${[...optionWords(row), '--help'].join(' ')}" ;;`);
  const valued = [...new Set(table.flatMap(({ options }) => options.filter(({ takesValue }) => takesValue)))];
  const dashes = [...new Set(valued.flatMap(({ names }) => names.map(dashed)))].filter((word) => word !== '-o');
  return `# Completes pstorefuse: made by "pstorefuse completion".
_pstorefuse() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command=\${COMP_WORDS[1]} options= i source=
  local IFS=$' \\t\\n'
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${table.map(({ name }) => name).join(' ')} help" -- "$cur") $(IFS=$'\\n'; compgen -f -- "$cur"))
    return
  fi
  case $command in
${cases.join('\n')}
    *) options="${optionWords(table[0]!).join(' ')}" ;;
  esac
  case $prev in
    -o) cur=,$cur ;;
    ${dashes.join(' | ')}) COMPREPLY=($(IFS=$'\\n'; compgen -f -- "$cur")); return ;;
  esac
  case $cur in
    -*) COMPREPLY=($(compgen -W "$options" -- "$cur")); return ;;
    *,*)
      local front=\${cur%,*}, last=\${cur##*,}
      [ "$prev" != -o ] || front=\${front#,}
      COMPREPLY=($(compgen -P "$front" -W "${SOURCE_KEYS.join(' ')}" -- "$last"))
      return ;;
  esac
  case $command in
    ${OF_RECORDS.join(' | ')})
      for ((i = 2; i < COMP_CWORD; i++)); do
        case \${COMP_WORDS[i]} in -*) ;; *) source=\${COMP_WORDS[i]}; break ;; esac
      done
      if [ -n "$source" ]; then
        IFS=$'\\n'
        [ "$command" = undelete ] && options=--erased || options=
        COMPREPLY=($(compgen -W "$(pstorefuse ls $options -- "$source" 2>/dev/null </dev/null)" -- "$cur"))
        return
      fi ;;
    completion) COMPREPLY=($(compgen -W "${SHELLS.join(' ')}" -- "$cur")); return ;;
    overlay) [ "$COMP_CWORD" -ne 2 ] || { COMPREPLY=($(compgen -W "${ACTIONS.join(' ')}" -- "$cur")); return; } ;;
  esac
  IFS=$'\\n'
  COMPREPLY=($(compgen -f -- "$cur"))
}
complete -o filenames -o nospace -F _pstorefuse pstorefuse 2>/dev/null || complete -F _pstorefuse pstorefuse
`;
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function fishScript(table: readonly CommandRow[]): string {
  const lines = ['# Completes pstorefuse: made by "pstorefuse completion".'];
  for (const { name, command, options } of table) {
    lines.push(`complete -c pstorefuse -n __fish_use_subcommand -a ${name} -d ${quoted(command.summary)}`);
    for (const { names, takesValue, text } of options) {
      const words = names.map((one) => (one.length === 1 ? `-s ${one}` : `-l ${one}`)).join(' ');
      const seen = `-n '__fish_seen_subcommand_from ${name}'`;
      lines.push(`complete -c pstorefuse ${seen} ${words}${takesValue ? ' -r' : ''} -d ${quoted(text)}`);
    }
  }
  const records = (how: string) =>
    `(pstorefuse ls ${how}-- (commandline -opc | string match -v -- "-*")[3] 2>/dev/null </dev/null)`;
  const hasSource = 'test (count (commandline -opc | string match -v -- "-*")) -ge 3';
  lines.push(
    ...OF_RECORDS.map(
      (name) =>
        `complete -c pstorefuse -n '__fish_seen_subcommand_from ${name}; and ${hasSource}' -f -a '${records(name === 'undelete' ? '--erased ' : '')}'`,
    ),
    `complete -c pstorefuse -n '__fish_seen_subcommand_from completion' -f -a '${SHELLS.join(' ')}'`,
    `complete -c pstorefuse -n '__fish_seen_subcommand_from overlay' -a '${ACTIONS.join(' ')}'`,
    `complete -c pstorefuse -s o -x -a '${SOURCE_KEYS.join(' ')}' -d 'keys of the source'`,
  );
  return `${lines.join('\n')}\n`;
}
