// Facts around a crash: which kernel on which machine, which task on which CPU, since when.

import type { CrashContext } from './crash.js';
import type { LogLine } from './line.js';
import type { Report } from './report.js';
import { type Taint, taintOf } from './taint.js';

const LINUX_VERSION = /^\s{0,4}Linux version (\S{1,128}) .{0,1600}$/;
const HARDWARE = /^(?:Hardware name|DMI|Machine model|MIPS: machine is|OF: fdt: ?Machine model): ?(.{1,160})/;

/** `Not tainted`, or letters; Red Hat's have dashes between them. */
const TAINT = '(?<taint>Not tainted|Tainted: [A-Z -]{1,64}?)';
const RELEASE = String.raw`(?<kernel>\d+\.\d[^\s)]{0,100})`;

/** Lines that name the kernel, and mostly the task. */
const HEADERS: readonly RegExp[] = [
  // CPU: 0 UID: 0 PID: 30 Comm: init Not tainted 6.1.192 #1
  new RegExp(
    String.raw`^\s{0,4}CPU: (?<cpu>\d{1,5}) (?:UID: \d{1,10} )?PID: (?<pid>\d{1,10}) Comm: ?(?<comm>.{0,64}?) (?:Kdump: loaded )?${TAINT} {1,8}${RELEASE}`,
  ),
  // Before Linux 2.6.38: Pid: 30, comm: init Not tainted (2.6.32 #1)
  new RegExp(String.raw`^\s{0,4}Pid: (?<pid>\d{1,10}), comm: (?<comm>.{1,64}?) ${TAINT} {1,8}\(?${RELEASE}\)?(?: |$)`),
  // arm before Linux 3.11: CPU: 0    Not tainted  (3.4.0 #1)
  new RegExp(String.raw`^\s{0,4}CPU: (?<cpu>\d{1,5}) {1,4}${TAINT} {1,8}\(${RELEASE} #`),
  // x86 before Linux 2.6.26: EFLAGS: 00010202   (2.6.22 #1)
  new RegExp(String.raw`^\s{0,4}EFLAGS: [\da-f]{8} {1,8}\(${RELEASE} #`),
  // A hung task:       Not tainted 6.1.192 #1
  new RegExp(`^ {2,8}${TAINT} {1,8}${RELEASE} #`),
  // Lockdep: 6.1.192 #1 Not tainted
  new RegExp(String.raw`^\s{0,4}${RELEASE} #\S.{0,100}? ${TAINT}\s*$`),
];

/** x86 before Linux 3.10: `CPU 1`, and at the end of the line of EIP. */
const OLD_CPU = /^\s{0,4}(?:CPU|EIP: .{1,60} CPU:) (?<cpu>\d{1,5})\s{0,4}$/;

/** Tasks that reports name otherwise: `INFO: task foo:12`, `[foo:12]` of a lockup, `by task foo/12`, `foo/12 is trying`. */
const TASKS: readonly RegExp[] = [
  /INFO: task (?<comm>.{1,64}):(?<pid>\d{1,10}) (?:blocked|can't)/,
  /soft lockup - CPU#(?<cpu>\d{1,5}) stuck for \S{1,16} \[(?<comm>.{1,64}):(?<pid>\d{1,10})\]/,
  /\bby task (?<comm>.{1,64})\/(?<pid>\d{1,10})\b/,
  /^(?<comm>\S.{0,63}?)\/(?<pid>\d{1,10})(?: \[[^\]]{1,64}\])? (?:is|just)\b/,
  /atomic: (?<comm>.{1,64})\/(?<pid>\d{1,10})\/0x/,
  /\] code: (?<comm>.{1,64})\/(?<pid>\d{1,10})/,
  /^\s{0,4}Process (?<comm>.{1,64}?) \(pid: (?<pid>\d{1,10})/,
  /^\s{0,4}comm "(?<comm>.{1,64}?)", pid (?<pid>\d{1,10})/,
  /, pid: (?<pid>\d{1,10}), name: (?<comm>.{1,64}?)\s*$/,
];

/** Architectures by what only their registers' dumps have. */
const ARCHITECTURES: readonly (readonly [RegExp, string])[] = [
  [/^\s{0,4}RIP: |^\s{0,4}RSP: |^\s{0,4}R13: [\da-f]{16}/, 'x86-64'],
  [/^\s{0,4}EIP: |^\s{0,4}EAX: /, 'i386'],
  [/^\s{0,4}x29: ?[\da-f]{16}|\bpstate: |^\s{0,4}el[01]\w{0,40}\+0x/, 'arm64'],
  [/^\s{0,4}r10: ?[\da-f]{8} |\bpsr: ?[\da-f]{8}|^Internal error: .* ARM$|\) from \[<[\da-f]{8}>\]/, 'arm'],
  [/^\s{0,4}ERA: |^\$r\d|^\s{0,4}era\s{0,4}: |, era == /, 'loongarch'],
  [/^\$ ?\d\s{0,4}: |^Cause : /, 'mips'],
  [/^NIP[: ]|^GPR00: /, 'powerpc'],
  [/^\s{0,4}epc : (?:.* ra : |[A-Za-z_]\S{0,255}\+0x)|^\s{0,4}gp : [\da-f]{16}/, 'riscv'],
  [/^Krnl PSW : |^Krnl GPRS: /, 's390'],
  [/^TSTATE: |^PSR: [\da-f]{8} PC: /, 'sparc'],
  [/^SR: [\da-f]{4} {2}SP: /, 'm68k'],
  [/^IASQ: /, 'parisc'],
];

/** What a compiler's name in `Linux version` says, or a distribution's name of its kernel. */
const COMPILERS: readonly (readonly [RegExp, string])[] = [
  [/x86_64|amd64/, 'x86-64'],
  [/i[3-6]86/, 'i386'],
  [/aarch64|arm64/, 'arm64'],
  [/\barm/, 'arm'],
  [/mips/, 'mips'],
  [/powerpc|ppc64/, 'powerpc'],
  [/riscv/, 'riscv'],
  [/s390/, 's390'],
  [/loongarch/, 'loongarch'],
  [/sparc/, 'sparc'],
  [/m68k/, 'm68k'],
  [/hppa/, 'parisc'],
];

function architectureNamed(words: string): string | null {
  return COMPILERS.find(([pattern]) => pattern.test(words))?.[1] ?? null;
}

/** Modules that are listed; hostile texts list more. */
const MAX_MODULES = 512;

/** Facts of a log that hold for all crashes after them. */
export class LogContext {
  kernel: string | null = null;
  build: string | null = null;
  hardware: string | null = null;
  machine: string | null = null;
  architecture: string | null = null;
  /** Seconds since 1970 at the kernel's start. */
  #started: number | undefined;
  #hasZone = false;

  push(line: LogLine): void {
    if (line.host !== undefined) this.machine = line.host;
    this.#findClock(line);
    const { text } = line;
    if (text.length > 12 && /Linux version|name: |DMI: |achine|Comm: /.test(text)) this.#findMachine(text);
  }

  #findMachine(text: string): void {
    const version = LINUX_VERSION.exec(text);
    if (version) {
      this.kernel = version[1]!;
      this.build = text.trim();
      this.#started = undefined;
      const compiler = /\(([^()]{1,200})/g;
      const found = [...text.matchAll(compiler)].map((match) => match[1]!).join(' ');
      this.architecture = architectureNamed(found);
    }
    // A record holds the end of a log, mostly without the kernel's first lines.
    this.kernel ??= HEADERS[0]!.exec(text)?.groups?.kernel ?? null;
    const hardware = HARDWARE.exec(text);
    if (hardware) this.hardware = hardware[1]!.trim();
  }

  /** The clock that the kernel set from the RTC, and the time in audit's lines, tell when the kernel started. */
  #findClock({ text, seconds, wall }: LogLine): void {
    if (seconds === undefined) return;
    const told =
      /setting system clock to .{1,64} \((\d{9,11})\)/.exec(text) ?? /\baudit\((\d{9,11}(?:\.\d{1,6})?):/.exec(text);
    if (told) {
      this.#started = Number(told[1]) - seconds;
      this.#hasZone = true;
    } else if (wall !== undefined && !this.#hasZone && /(?:Z|[+-]\d\d:?\d\d)$/.test(wall)) {
      const at = Date.parse(wall) / 1000;
      if (!Number.isNaN(at)) this.#started = at - seconds;
    }
  }

  /** Seconds since 1970, at such an uptime. */
  secondsAt(uptime: number | undefined): number | undefined {
    return this.#started === undefined || uptime === undefined ? undefined : this.#started + uptime;
  }

  wallAt({ wall, seconds }: LogLine): string | null {
    if (wall !== undefined) return wall;
    const at = this.secondsAt(seconds);
    if (at === undefined || !(Math.abs(at) < 8e12)) return null;
    return new Date(at * 1000).toISOString();
  }
}

/** The facts of one crash. */
export function contextOf(report: Report, log: LogContext): CrashContext {
  const task = taskOf(report);
  const { opening } = report;
  const kernel = task.kernel ?? log.kernel;
  const architecture = architectureOf(report) ?? architectureNamed(kernel ?? '');
  log.architecture ??= architecture;
  return {
    kernel,
    build: log.build,
    architecture: architecture ?? log.architecture,
    hardware: report.find(HARDWARE)?.[1]?.trim() ?? log.hardware,
    machine: opening.host ?? log.machine,
    comm: task.comm ?? null,
    pid: task.pid ?? null,
    cpu: task.cpu ?? null,
    taint: task.taint ?? null,
    uptime: opening.seconds ?? null,
    wall: log.wallAt(opening),
    modules: modulesOf(report),
  };
}

interface Task {
  readonly kernel?: string;
  readonly comm?: string;
  readonly pid?: number;
  readonly cpu?: number;
  readonly taint?: Taint;
}

/** A stall of another CPU: `task:foo state:R  running task stack:0 pid:12`, before Linux 5.11 `foo R  running task 0 12`. */
const DUMPED =
  /^(?:task:)?(?<comm>\S.{0,15}?)\s{1,20}(?:state:)?R {2}running task {1,12}(?:stack: {0,8})?\d{1,10} {1,12}(?:pid: {0,8})?(?<pid>\d{1,10})\b/;

function taskOf(report: Report): Task {
  const named = namedTask(report);
  const header = headerOf(report);
  if (!named) {
    const { comm, pid } = header ? {} : (report.find(DUMPED)?.groups ?? {});
    return comm ? { comm, ...numbers({ pid, cpu: undefined }) } : (header ?? {});
  }
  // The watchdog that reports a hung task is not the task.
  const same = header?.pid === undefined || header.pid === named.pid;
  return { ...header, ...named, ...(same ? {} : { cpu: named.cpu }) };
}

function headerOf(report: Report): Task | undefined {
  for (const pattern of HEADERS) {
    const groups = report.find(pattern)?.groups;
    if (!groups) continue;
    const { cpu, pid, comm, taint, kernel } = groups;
    return {
      ...numbers({ cpu: cpu ?? report.find(OLD_CPU)?.groups?.cpu, pid }),
      ...(comm ? { comm } : {}),
      ...(taint ? { taint: taintFrom(taint) } : {}),
      kernel: kernel!,
    };
  }
  return undefined;
}

const taintFrom = (words: string): Taint => taintOf(words.startsWith('Not') ? '' : words.slice('Tainted:'.length));

function namedTask(report: Report): Task | undefined {
  for (const { text } of report.lines.slice(0, 40)) {
    for (const pattern of TASKS) {
      const groups = pattern.exec(text)?.groups;
      if (!groups) continue;
      const { comm, pid, cpu } = groups;
      return { comm: comm!, ...numbers({ pid, cpu }) };
    }
  }
  return undefined;
}

const numbers = ({ pid, cpu }: { pid: string | undefined; cpu: string | undefined }): Task => ({
  ...(pid === undefined ? {} : { pid: Number(pid) }),
  ...(cpu === undefined ? {} : { cpu: Number(cpu) }),
});

function architectureOf(report: Report): string | null {
  for (const { text } of report.lines.slice(0, 80)) {
    const found = ARCHITECTURES.find(([pattern]) => pattern.test(text));
    if (found) return found[1];
  }
  return null;
}

function modulesOf(report: Report): string[] {
  const list = report.find(/^\s{0,4}Modules linked in: ?(.*)/)?.[1] ?? '';
  const words = list.replace(/\[last unloaded:.*/, '').split(/\s+/, MAX_MODULES);
  return words.map((word) => word.replace(/\([A-Z+-]{1,16}\)$/, '')).filter((word) => /^[\w-]{1,64}$/.test(word));
}
