// Kernel logs in the shape that kernels print them: reports by architecture, and the prefixes that stand before lines.

/** A frame as `symbol` or `symbol [module]`; a leading `? ` says that the unwinder doubts it. */
export type Frames = readonly string[];

const MACHINE = 'Hardware name: Acme Board/Rev 2, BIOS 1.0 01/01/2024';

const at = (frame: string): string => {
  const [, doubt = '', symbol = '', module = ''] = /^(\? )?(\S+)( \[.*\])?$/.exec(frame) ?? [];
  return `${doubt}${symbol}+0x2c/0x1a0${module}`;
};

/** `CPU: 1 PID: 30 …`, as kernels since 2.6.38 print it; 6.11 added the user. */
export const cpu = (release = '6.1.192', comm = 'poller', pid = 30): string =>
  `CPU: 1 ${/^6\.1[1-9]/.test(release) ? 'UID: 0 ' : ''}PID: ${pid} Comm: ${comm} Not tainted ${release} #1`;

/** A trace of x86-64 since Linux 5.12: frames without addresses between `<TASK>` marks. */
export const trace = (frames: Frames): string[] => [
  'Call Trace:',
  ' <TASK>',
  ...frames.map((f) => ` ${at(f)}`),
  ' </TASK>',
];

/** A trace of x86 before Linux 4.11: addresses in front. */
export const addressed = (frames: Frames): string[] => [
  'Call Trace:',
  ...frames.map((f, i) => ` [<ffffffff81${(0x1000 + i * 0x10).toString(16)}>] ${at(f)}`),
];

/** What x86-64 prints after a fault's first line. */
export const x86 = (rip: string, frames: Frames, release = '6.1.192'): string[] => [
  'Modules linked in: board(O) acme',
  cpu(release),
  MACHINE,
  `RIP: 0010:${at(rip)}`,
  'Code: 48 8b 45 d0 48 8d 65 d8 5b 41 5c 41 5d 41 5e 41 5f 5d c3 cc cc cc cc <0f> 0b 48 8b',
  'RSP: 0018:ffffc9000124dab0 EFLAGS: 00010246',
  'RAX: 0000000000000061 RBX: 1ffff92000249b58 RCX: 59dc727b65a9b400',
  'CR2: 0000000000000008 CR3: 000000012e67a000 CR4: 00000000003526b0',
  ...trace(frames),
  '---[ end trace 0000000000000000 ]---',
  `RIP: 0010:${at(rip)}`,
];

/** x86-64 before Linux 4.11. */
export const oldX86 = (rip: string, frames: Frames, release = '4.4.302'): string[] => [
  'Modules linked in:',
  cpu(release),
  MACHINE,
  'task: ffff8801c5442040 ti: ffff8801c7ed8000 task.ti: ffff8801c7ed8000',
  `RIP: 0010:[<ffffffff81234567>]  [<ffffffff81234567>] ${at(rip)}`,
  'RSP: 0018:ffff8801c7edf780  EFLAGS: 00010046',
  'Stack:',
  ' ffff8801c7edf948 ffffea00071fb7c0 0000000000000000 ffff8801c7edf948',
  ...addressed(frames),
  'Code: 48 89 df 48 c1 ea 0c 48 c1 e2 06 <48> 01 c2 48 8b 42 20',
  `RIP  [<ffffffff81234567>] ${at(rip)}`,
  ' RSP <ffff8801c7edf780>',
  '---[ end trace e3c719a9c9d01886 ]---',
];

/** 32-bit x86. */
export const i386 = (eip: string, frames: Frames, release = '5.10.0'): string[] => [
  '*pde = 00000000',
  'Oops: 0000 [#1] SMP',
  cpu(release),
  MACHINE,
  `EIP: ${at(eip)}`,
  'Code: 89 d8 e8 00 00 00 00 <8b> 43 04 5b c3',
  'EAX: 00000000 EBX: f5f5a600 ECX: 00000000 EDX: 00000001',
  'Call Trace:',
  ...frames.map((f) => ` ${at(f)}`),
  'CR2: 0000000000000004',
];

/** arm64, after the abort's own lines. */
export const arm64 = (pc: string, frames: Frames, error = 'Oops: 0000000096000046', release = '6.12.117'): string[] => [
  'Mem abort info:',
  '  ESR = 0x0000000096000046',
  '  EC = 0x25: DABT (current EL), IL = 32 bits',
  'Data abort info:',
  '  ISV = 0, ISS = 0x00000046, ISS2 = 0x00000000',
  '[0000000000000008] pgd=0000000000000000, p4d=0000000000000000',
  `Internal error: ${error} [#1] PREEMPT SMP`,
  'Modules linked in: board(O)',
  cpu(release),
  'Hardware name: linux,dummy-virt (DT)',
  'pstate: 60000005 (nZCv daif -PAN -UAO -TCO -DIT -SSBS BTYPE=--)',
  `pc : ${at(pc)}`,
  `lr : ${at(frames[0] ?? 'start_kernel')}`,
  'sp : ffff800080d3bb80',
  'x29: ffff800080d3bb80 x28: ffff000003a08000 x27: 0000000000000000',
  'Call trace:',
  ...[pc, ...frames].map((f) => ` ${at(f)}`),
  'Code: d503233f a9bf7bfd 910003fd d2800000 (f9000000) ',
  '---[ end trace 0000000000000000 ]---',
];

/** arm since Linux 5.12 names both ends of a call. */
export const arm = (pc: string, frames: Frames, error = 'Oops: 805', release = '6.1.192'): string[] => {
  const chain = [pc, ...frames, 'ret_fast_syscall'];
  return [
    '[00000000] *pgd=00000000',
    `Internal error: ${error} [#1] SMP ARM`,
    'Modules linked in:',
    cpu(release),
    'Hardware name: Generic DT based system',
    `PC is at ${at(pc)}`,
    `LR is at ${at(frames[0] ?? 'start_kernel')}`,
    'pc : [<c03c08a4>]    lr : [<c03c0678>]    psr: a00f0013',
    'sp : e0819e98  ip : 00000000  fp : 00000000',
    'r10: 00000000  r9 : c1234567  r8 : 00000000',
    'Flags: NzCv  IRQs on  FIQs on  Mode SVC_32  ISA ARM  Segment none',
    'Stack: (0xe0819e98 to 0xe081a000)',
    ...chain.slice(0, -1).map((f, i) => ` ${f} from ${at(chain[i + 1]!)}`),
    'Code: e3a03000 e12fff1e (e5833000)',
    '---[ end trace 0000000000000000 ]---',
  ];
};

/** arm before Linux 5.12. */
export const oldArm = (pc: string, frames: Frames, error = 'Oops: 17'): string[] => {
  const chain = [pc, ...frames, 'ret_fast_syscall'];
  return [
    'pgd = 8d7c0000',
    '[00000000] *pgd=00000000',
    `Internal error: ${error} [#1] PREEMPT SMP ARM`,
    'Modules linked in:',
    cpu('4.9.100'),
    'Hardware name: Freescale i.MX6 Quad/DualLite (Device Tree)',
    'task: d8401f80 task.stack: d8528000',
    `PC is at ${at(pc)}`,
    `LR is at ${at(frames[0] ?? 'start_kernel')}`,
    'pc : [<8028bd5c>]    lr : [<8028bd50>]    psr: 20030013',
    'Process poller (pid: 30, stack limit = 0xd8528210)',
    'Stack: (0xd8529ea0 to 0xd852a000)',
    '9ea0: 9eaea800 9f6a3800 9ec4fecc 9f542e00 00000000 00000000 9f5431b0 80f4bc08',
    ...chain.slice(0, -1).map((f, i) => `[<8028bd5c>] (${f}) from [<80132060>] (${at(chain[i + 1]!)})`),
    'Code: ebfcdd4b e28a3020 f593f000 e1932f9f (e2822001)',
    '---[ end trace 0eb64bd854360932 ]---',
  ];
};

/** mips, after its first line. */
export const mips = (epc: string, frames: Frames, opening = 'Oops[#1]:'): string[] => [
  opening,
  cpu(),
  '$ 0   : 00000000 804275ac 00000028 8059bae8',
  '$ 4   : 8059bae8 00000001 00000000 00000000',
  'Hi    : 00000000',
  'Lo    : 00000000',
  `epc   : 80427870 ${at(epc)}`,
  `ra    : 804275ac ${at(frames[0] ?? 'start_kernel')}`,
  'Status: 1000a403	KERNEL EXL IE',
  'Cause : 0080000c (ExcCode 03)',
  'BadVA : 00000000',
  'Process poller (pid: 30, threadinfo=8059a000, task=8059bae8, tls=77e6f490)',
  'Stack : 8059bae8 00000000 00000000 804275ac',
  '        ...',
  'Call Trace:',
  ...[epc, ...frames].map((f) => `[<80427870>] ${at(f)}`),
  'Code: 00000000  03e00008  00000000 <ac400000> 03e00008',
  '---[ end trace 0000000000000000 ]---',
];

/** powerpc, after its first line. */
export const powerpc = (nip: string, frames: Frames, oops = 'Kernel access of bad area, sig: 11'): string[] => [
  'Faulting instruction address: 0xc00000000009651c',
  `Oops: ${oops} [#1]`,
  'LE PAGE_SIZE=64K MMU=Radix SMP NR_CPUS=2048 NUMA pSeries',
  'Modules linked in:',
  cpu('5.15.100'),
  'NIP:  c00000000009651c LR: c00000000009600c CTR: 0000000000000000',
  'REGS: c00000003ae5ba30 TRAP: 0300   Not tainted  (5.15.100)',
  'MSR:  8000000000009033 <SF,EE,ME,IR,DR,RI,LE>  CR: 24000222  XER: 00000000',
  'CFAR: c00000000000e0b0 DAR: 0000000000000008 DSISR: 40000000 IRQMASK: 0 ',
  'GPR00: c00000000009600c c00000003ae5bcd0 c000000001234500 0000000000000000 ',
  `NIP [c00000000009651c] ${at(nip)}`,
  `LR [c00000000009600c] ${at(frames[0] ?? 'start_kernel')}`,
  'Call Trace:',
  `[c00000003ae5bcd0] [c00000000009651c] ${at(nip)} (unreliable)`,
  ...frames.map((f) => `[c00000003ae5bdf0] [c00000000009600c] ${at(f)}`),
  'Instruction dump:',
  '60000000 60420000 3c4c0123 38424580 7c0802a6',
  '---[ end trace 0000000000000000 ]---',
];

/** riscv, after its first line. */
export const riscv = (epc: string, frames: Frames, oops = 'Oops [#1]'): string[] => [
  oops,
  'Modules linked in:',
  cpu('6.6.0'),
  'Hardware name: riscv-virtio,qemu (DT)',
  `epc : ${at(epc)}`,
  ` ra : ${at(frames[0] ?? 'start_kernel')}`,
  'epc : ffffffff80400a2c ra : ffffffff80400b00 sp : ff2000000064bd50',
  ' gp : ffffffff81a04d60 tp : ff60000002a3c000 t0 : 0000000000000000',
  'status: 0000000200000120 badaddr: 0000000000000008 cause: 000000000000000d',
  ...[epc, ...frames].map((f) => `[<ffffffff80400a2c>] ${at(f)}`),
  'Code: 0000 0000 0000 (b783) 0007',
  '---[ end trace 0000000000000000 ]---',
];

/** s390, after its first line. */
export const s390 = (psw: string, frames: Frames, oops = 'Oops: 0004 ilc:3 [#1] SMP'): string[] => [
  'Failing address: 0000000000000000 TEID: 0000000000000483',
  'Fault in home space mode while using kernel ASCE.',
  'AS:0000000001a08007 R3:0000000000000024 ',
  oops,
  'Modules linked in:',
  cpu('5.15.0'),
  'Hardware name: IBM 3906 M04 704 (z/VM 7.1.0)',
  `Krnl PSW : 0704c00180000000 000000000019f4ac (${at(psw)})`,
  '           R:0 T:1 IO:1 EX:1 Key:0 M:1 W:0 P:0 AS:3 CC:0 PM:0 RI:0 EA:3',
  'Krnl GPRS: 0000000000000000 0000000000000001 0000000000000000 0000000000000000',
  'Krnl Code: 000000000019f49c: c0200046b9ee	larl	%r2,0000000000a76878',
  'Call Trace:',
  ` [<000000000019f4ac>] ${at(psw)} `,
  ...frames.map((f) => `([<000000000019f300>] ${at(f)})`),
  'Last Breaking-Event-Address:',
  ' [<000000000019f4a0>] start_kernel+0x20/0x68',
];

/** loongarch, after its first line. */
export const loongarch = (era: string, frames: Frames): string[] => [
  'Oops[#1]:',
  cpu('6.6.0'),
  'Hardware name: Loongson Loongson-3A5000-7A1000-1w-CRB',
  'pc 9000000000223f5c ra 9000000000223f00 tp 9000000100a58000 sp 9000000100a5bd20',
  'a0 0000000000000000 a1 0000000000000001 a2 0000000000000000 a3 0000000000000000',
  `   ra: 9000000000223f00 ${at(frames[0] ?? 'start_kernel')}`,
  `  ERA: 9000000000223f5c ${at(era)}`,
  ' CRMD: 000000b0 (PLV0 -IE -DA +PG DACF=CC DACM=CC -WE)',
  'Call Trace:',
  ...[era, ...frames].map((f) => `[<9000000000223f5c>] ${at(f)}`),
];

/** sparc64, after its first line. */
export const sparc = (tpc: string, frames: Frames): string[] => [
  'tsk->{mm,active_mm}->context = 0000000000000a1b',
  'tsk->{mm,active_mm}->pgd = fff8000123456000',
  '              \\|/ ____ \\|/',
  '              "@\'/ .. \\`@"',
  '              /_| \\__/ |_\\',
  '                 \\__U_/',
  'poller(30): Oops [#1]',
  cpu('5.10.0'),
  'TSTATE: 0000000080001606 TPC: 00000000004a1b2c TNPC: 00000000004a1b30 Y: 00000000    Not tainted',
  `TPC: <${at(tpc)}>`,
  'g0: 0000000000000000 g1: 0000000000000000 g2: 0000000000000001 g3: 0000000000000000',
  `RPC: <${at(frames[0] ?? 'start_kernel')}>`,
  `I7: <${at(frames[0] ?? 'start_kernel')}>`,
  'Call Trace:',
  ...frames.map((f) => ` [<00000000004a1b2c>] ${at(f)}`),
];

/** A report after the line of the processor: KASAN's, a warning's, lockdep's. */
export const reported = (frames: Frames, release = '6.1.192'): string[] => [cpu(release), MACHINE, ...trace(frames)];

/** Lines as a log, each with the prefix of a style. */
export const STYLES = {
  bare: (line: string) => line,
  stamped: (line: string, at: number) => `[${stamp(at)}] ${line}`,
  caller: (line: string, at: number) => `[${stamp(at)}][  T311] ${line}`,
  record: (line: string, at: number) => `<4>[${stamp(at)}] ${line}`,
  syslog: (line: string, at: number) => `Nov 21 08:15:01 board kernel: [${stamp(at)}] ${line}`,
  journal: (line: string) => `Nov 21 08:15:01 board kernel: ${line}`,
  iso: (line: string) => `2026-11-21T08:15:01.123456+01:00 board kernel: ${line}`,
  kmsg: (line: string, at: number) => `4,${1000 + at},${9_790_000 + at * 10},-;${line}`,
  windows: (line: string, at: number) => `[${stamp(at)}] ${line}\r`,
} as const;

const stamp = (at: number) => (9.79 + at / 1e5).toFixed(6).padStart(12);

export type Style = keyof typeof STYLES;

/** @param lines of the kernel's own words */
export function dressed(lines: readonly string[], style: Style): string {
  return `${lines.map((line, at) => STYLES[style](line, at)).join('\n')}\n`;
}

/** The lines of a report with those of another CPU between them: told apart only by the caller's id. */
export function interleaved(lines: readonly string[], others: readonly string[]): string {
  const mixed: string[] = [];
  for (const [at, line] of lines.entries()) {
    mixed.push(`[${stamp(at)}][  T311] ${line}`);
    const other = others[at % others.length];
    if (other !== undefined) mixed.push(`[${stamp(at)}][   C0] ${other}`);
  }
  return `${mixed.join('\n')}\n`;
}
