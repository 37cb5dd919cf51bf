// A line of a kernel log: what stands in front of the kernel's own words is taken off and kept as facts.

/** A line without its prefixes. */
export interface LogLine {
  /** The kernel's own words. */
  readonly text: string;
  /** 0 (emergency) to 7 (debug), as printk counts them. */
  readonly level?: number;
  /** Seconds since the kernel started. */
  readonly seconds?: number;
  /** Who printed: `T123` is a task, `C1` is a CPU in an interrupt. */
  readonly context?: string;
  /** Wall-clock time as ISO 8601; without a zone where the log does not tell one. */
  readonly wall?: string;
  /** Name of the machine, where syslog wrote it down. */
  readonly host?: string;
}

/** Longer lines are cut here: no line that the kernel writes is as long. */
export const MAX_LINE = 2048;

/** At most this many lines of several writers are told apart in one line. */
const MAX_SPLICES = 16;

/** More prefixes do not stand in front of each other in any log. */
const MAX_PREFIXES = 8;

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const LEVELS = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug'];

/** Levels have three bits; the bits above are syslog's facility. */
const LEVEL_MASK = 7;

type Facts = { -readonly [key in keyof LogLine]: LogLine[key] };

interface Prefix {
  /** What a line may begin with that has it: others are not tried, because all of them at each line take long. */
  readonly begins: RegExp;
  readonly pattern: RegExp;
  take(match: RegExpExecArray, facts: Facts): void;
}

/** `[   12.345678]`; vendors add the CPU, `@0`, the unit, or the wall clock, ` / 01-02 03:04:05.678`. */
const STAMP = String.raw`\[ {0,12}(\d{1,10}\.\d{1,9})s?(?:@\d{1,3})?(?: \/ [^\]]{1,40})?\]`;
/** The printing task or CPU, where the kernel has CONFIG_PRINTK_CALLER. */
const CALLER = String.raw`\[ {0,12}([TC]\d{1,10})[^\]\s]{0,24} {0,2}\]`;
/** A day's or month's name in any language. */
const WORD = String.raw`[^\s\d[\]<>(){}:;=/]{1,12}`;
const TIME = String.raw`\d\d:\d\d:\d\d`;
const FRACTION = String.raw`(?:[.,:](\d{1,9}))?`;

/** A prefix that tells nothing but the task that prints. */
const calledBy = (begins: RegExp, pattern: RegExp): Prefix => ({
  begins,
  pattern,
  take: (match, facts) => {
    facts.context = `T${match[1]}`;
  },
});

const PREFIXES: readonly Prefix[] = [
  {
    // [   12.345678][  T123]
    begins: /\[/,
    pattern: new RegExp(`^${STAMP}(?: ?${CALLER})? ?`),
    take: (match, facts) => {
      facts.seconds = Number(match[1]);
      if (match[2] !== undefined) facts.context = match[2];
    },
  },
  {
    // <4>, and <30> with a facility
    begins: /</,
    pattern: /^<(\d{1,3})>/,
    take: (match, facts) => {
      facts.level = Number(match[1]) & LEVEL_MASK;
    },
  },
  {
    // /dev/kmsg and netconsole: 4,123,456789,-; which may have the release in front
    begins: /\d/,
    pattern: /^(?:\d{1,2}\.\d[\w.+~-]{0,64},)?(\d{1,3}),\d{1,20},(\d{1,20}),[^;\s]{0,64};/,
    take: (match, facts) => {
      facts.level = Number(match[1]) & LEVEL_MASK;
      facts.seconds = Number(match[2]) / 1e6;
    },
  },
  {
    // 2024-01-02T03:04:05.678901+01:00, [2024-01-02 03:04:05], and as terminals write it 2024/01/02 03:04:05
    begins: /[[\dA-Z]/,
    pattern: new RegExp(
      `^\\[?(?:[A-Z][a-z]{2} )?(\\d{4})[-/](\\d\\d)[-/](\\d\\d)(?:[T ]|, )(${TIME})${FRACTION} ?(Z|UTC|[+-]\\d\\d:?\\d\\d|[A-Z]{3,5})?\\]? `,
    ),
    take: ([, year, month, day, time, fraction, zone], facts) => {
      const clock = `${time}${fraction ? `.${fraction}` : ''}${zone === 'UTC' ? 'Z' : /^[A-Z]{2}/.test(zone ?? '') ? '' : (zone ?? '')}`;
      facts.wall = `${year}-${month}-${day}T${clock}`;
    },
  },
  {
    // dmesg -T: [Tue Jan  2 03:04:05 2024]; logread without brackets; syslog: Jan  2 03:04:05, whose year is not told
    begins: /[[\dA-Za-z\xe9]/,
    pattern: new RegExp(
      `^\\[?(?:${WORD} )?(${WORD}|\\d{1,2}[月월]) {1,2}(\\d{1,2}) (${TIME})${FRACTION}(?: (\\d{4}))?(?:\\] ?| )`,
    ),
    take: ([, month, day, time, , year], facts) => {
      const number = MONTHS.indexOf(month!) + 1;
      if (number > 0 && year !== undefined) {
        facts.wall = `${year}-${String(number).padStart(2, '0')}-${day!.padStart(2, '0')}T${time}`;
      }
    },
  },
  {
    // Terminals: [03:04:05.678]
    begins: /[[\d]/,
    pattern: new RegExp(`^\\[?${TIME}${FRACTION}\\]? `),
    take: () => {},
  },
  {
    // dmesg -H: [Jan 2 03:04] and, for what follows soon, [  +0.001234]
    begins: /\[/,
    pattern: /^\[(?:[A-Z][a-z]{2} ?\d{1,2} \d\d:\d\d| {0,8}\+\d{1,6}\.\d{6})\] ?/,
    take: () => {},
  },
  {
    // journalctl -o short-unix: 1704164645.678901 host kernel:
    begins: /\d/,
    pattern: /^(\d{9,10}\.\d{6}) (?=[\w.-]{1,64} kernel: )/,
    take: (match, facts) => {
      facts.wall = new Date(Number(match[1]) * 1000).toISOString();
    },
  },
  {
    // What tools read out of a phone's memory: 12.345678:   <6> (01-02 03:04:05.678901234)
    begins: /[ \d]/,
    pattern: /^ {0,8}(\d{1,9}\.\d{6}): {1,4}(?=<\d>)/,
    take: (match, facts) => {
      facts.seconds = Number(match[1]);
    },
  },
  {
    begins: / /,
    pattern: /^ \(\d\d-\d\d \d\d:\d\d:\d\d\.\d{3,9}\) /,
    take: () => {},
  },
  {
    // logcat: 01-02 03:04:05.678  1234  1234 W kernel  : with the user's name in front of the numbers in a bug report
    begins: /\d/,
    pattern:
      /^\d\d-\d\d \d\d:\d\d:\d\d\.\d{3,6} {1,6}(?:[a-z]\w{0,15} {1,6})?\d{1,7} {1,6}\d{1,7} [VDIWEF] [^:]{0,32}: ?/,
    take: () => {},
  },
  {
    // Numbers of lines, as cat -n, grep -n and pagers show them.
    begins: /[ \d]/,
    pattern:
      /^ {0,8}\d{1,9}(?:[:-]|\t| {0,4}\u2502 ?| )(?=\[ {0,12}\d|<\d|\d{1,3},\d{1,20},\d|[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:)/,
    take: () => {},
  },
  {
    // A mail's quotation, an issue's code.
    begins: /[>`]/,
    pattern: /^(?:[>`] ?){1,8}/,
    take: () => {},
  },
  {
    // What rsyslog writes for the ends of lines and tabs of the kernel's.
    begins: /#/,
    pattern: /^#01[12]/,
    take: () => {},
  },
  {
    // dmesg -x: kern  :warn  :
    begins: /[a-z]/,
    pattern: /^(?:kern|user|daemon|auth|syslog|local\d)\s{0,8}:([a-z]{3,6})\s{0,3}: ?/,
    take: (match, facts) => {
      const level = LEVELS.indexOf(match[1]!);
      if (level >= 0) facts.level = level;
    },
  },
  {
    // What syslog and journalctl write after the time: host kernel:
    begins: /[\w.-]/,
    pattern: /^(?:(?!kern\.)([\w.-]{1,64}) )?(?:kern\.\w{3,7} )?kernel(?:\[\d{1,7}\])?: ?/,
    take: (match, facts) => {
      if (match[1] !== undefined) facts.host = match[1];
    },
  },
  {
    // Samsung: [4:  system_server: 3344], with an I in front in an interrupt
    begins: /[ I[]/,
    pattern: /^(?: |(I))?\[ {0,2}(\d{1,3}): {0,20}[^\]]{1,24}: {0,8}(\d{1,8})\] ?/,
    take: ([, interrupt, cpu, pid], facts) => {
      facts.context = interrupt ? `C${cpu}` : `T${pid}`;
    },
  },
  // MediaTek: (2)[1608:kworker/2:1], and the file's name after it
  calledBy(/[-( ]/, /^ ?-?\(\d{1,3}\)\[(\d{1,8}):[^\]]{1,24}\](?:\[name:\w{1,32}&?\])? ?/),
  // HTC: (CPU:2-pid:1608:kworker/2:1)
  calledBy(/\(/, /^\(CPU:\d{1,3}-pid:(\d{1,8}):[^)]{1,24}\) ?/),
  // LG: [2][1608][kworker/2:1]
  calledBy(/\[/, /^\[\d{1,3}\]\[(\d{1,8})\]\[[^\]]{1,24}\] ?/),
  // Huawei: [2024:01:02 03:04:05][pid:1608,cpu2,kworker/2:1]
  calledBy(/\[/, /^(?:\[\d{4}:\d\d:\d\d \d\d:\d\d:\d\d\])?\[pid:(\d{1,8}),cpu\d{1,3}[^\]]{0,48}\] ?/),
  // Sony and Google: c2   1608, Marvell with the name in (), and Samsung with cores of two sizes: L2   1608
  calledBy(/[cL]/, /^[cL]\d{1,2} {1,7}(\d{1,7}) (?:\([^)]{1,24}\) )?/),
  {
    // Others tell only the CPU: c2
    begins: /c/,
    pattern: /^c(\d{1,2}) {1,2}(?=\S)/,
    take: (match, facts) => {
      facts.context = `C${match[1]}`;
    },
  },
  {
    // [T123] where it stands apart from the time
    begins: /\[/,
    pattern: new RegExp(`^${CALLER} ?`),
    take: (match, facts) => {
      facts.context = match[1];
    },
  },
];

/** What is not ASCII begins a line like this letter: names of days and months. */
const FOREIGN = 'é';
const ASCII = 128;

/** The prefixes by the code of the character that a line begins with. */
const PREFIXES_BY_CODE: readonly (readonly Prefix[])[] = Array.from({ length: ASCII + 1 }, (_, code) =>
  PREFIXES.filter(({ begins }) => begins.test(code < ASCII ? String.fromCharCode(code) : FOREIGN)),
);

/** A time stamp of six digits within a line: there another writer, or another part of a dump, begins. */
const SPLICE = /(?:<\d{1,3}>)?\[ {0,6}\d{1,10}\.\d{6}s?(?:@\d{1,3})?(?: \/ [^\]]{1,40})?\]/;

/** What some terminals show for the end of a line, and the blanks around it. */
const SHOWN_END = /[\s\u240a\u240d]/;

/** Looks from the end on: a pattern that ends with `+$` would look at each run of blanks again for each of its blanks. */
function withoutShownEnd(text: string): string {
  let end = text.length;
  while (end > 0 && SHOWN_END.test(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

/** A terminal's colours, as `dmesg --color=always` writes them. */
const COLOURS = /\x1b\[[\d;]{0,16}m/g;

/** A web page writes so what the kernel wrote as <, > and &. */
const ENTITIES: readonly (readonly [string, string])[] = [
  ['&lt;', '<'],
  ['&gt;', '>'],
  ['&amp;', '&'],
];

/** A line without what terminals and web pages added to it. */
function plain(line: string): string {
  const text = line.includes('\x1b[') ? line.replace(COLOURS, '') : line;
  return text.includes('&') ? ENTITIES.reduce((all, [from, to]) => all.replaceAll(from, to), text) : text;
}

/**
 * The kernel's words of a line of any log, and the facts in front of them.
 * @returns several lines where several writers share one
 */
export function parseLine(raw: string): LogLine[] {
  let rest = plain(raw.length > MAX_LINE ? raw.slice(0, MAX_LINE) : raw);
  if (rest.endsWith('\u240a')) rest = withoutShownEnd(rest);
  const lines: LogLine[] = [];
  for (let i = 0; i < MAX_SPLICES; i++) {
    const facts: Facts = { text: '' };
    const text = takePrefixes(rest, facts);
    const splice = SPLICE.exec(text);
    if (!splice) {
      lines.push({ ...facts, text: text.trimEnd() });
      return lines;
    }
    const before = text.slice(0, splice.index).trimEnd();
    if (before !== '') lines.push({ ...facts, text: before });
    rest = text.slice(splice.index);
  }
  return lines;
}

function takePrefixes(raw: string, facts: Facts): string {
  let text = raw;
  for (let i = 0; i < MAX_PREFIXES; i++) {
    const before = text;
    for (const { pattern, take } of PREFIXES_BY_CODE[Math.min(text.charCodeAt(0), ASCII)] ?? []) {
      const match = pattern.exec(text);
      if (!match) continue;
      take(match, facts);
      text = text.slice(match[0].length);
      break;
    }
    if (text === before) return text;
  }
  return text;
}
