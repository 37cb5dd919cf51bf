// Frames of a stack trace and instruction pointers, as the architectures print them.

import { rustName } from './rust-name.js';

/** A function in a stack trace. */
export interface Frame {
  /** As the kernel's symbol table has it, with what the compiler added. */
  readonly symbol: string;
  /** Without what the compiler added: equal over builds. */
  readonly name: string;
  /** Bytes from the function's beginning and its length, `0x12/0x34`, where the line tells them. */
  readonly offset?: string;
  readonly module?: string;
  /** `file:line`, where the log was decoded. */
  readonly source?: string;
  /** The unwinder vouches for it: a `?` or `(unreliable)` says that it does not. */
  readonly reliable: boolean;
  /** It comes from a register, not from the stack. */
  readonly ip: boolean;
}

/** C names, Rust's mangled names, and Rust's names as rustfilt shows them. */
const NAME = String.raw`(?:[A-Za-z_.$][\w.$]{0,255}|<[\w:<> ,&*']{1,255}>::[\w:<>]{1,255})`;
const OFFSET = String.raw`\+(0x[\da-fA-F]{1,16}\/0x[\da-fA-F]{1,16})`;
/** Web pages take `<…>` for a tag and leave `[]`. */
const ADDRESS = String.raw`(?:\[(?:<?[\da-fA-F. ()a-z]{4,24}>?)?\]:?)`;
const SOURCE = String.raw`[\w./+-]{1,200}\.\w{1,4}:\d{1,7}`;

const STACK_FRAME = new RegExp(
  `^\\s*(?:<{1,2}[A-Z_]{2,12}>{1,2} \\s*|Call Trace: |Caller\\[[\\da-f]{8,16}\\]: )?\\(?(?:${ADDRESS}\\s{0,12}){0,3}(?:[\\da-f]{16} )?(\\? {1,3})?(${NAME})${OFFSET}\\)?(?: \\[([\\w-]{1,64})[^\\]]{0,64}\\])?(?: (${SOURCE}))?( {1,3}\\(unreliable\\))?`,
);

/** decode_stacktrace.sh and syzbot name the functions that the compiler put into others. */
const INLINE_FRAME = new RegExp(
  `^\\s*(?:(?:\\[<\\s{0,16}inline\\s{0,16}>\\]\\s{0,4}(\\? )?(${NAME}) (${SOURCE}))|(?:(\\? )?(${NAME}) (${SOURCE}) \\[inline\\]))`,
);

/** decode_stacktrace.sh: `function (file.c:12 (discriminator 1) other.c:3) module`. */
const DECODED_FRAME = new RegExp(
  `^\\s*(?:<[A-Z_]{2,12}> )?(\\? )?(${NAME}) \\((${SOURCE}|\\?\\?:\\?)(?: .{0,400})?\\)(?: \\[?([\\w-]{1,64})\\]?)?\\s*$`,
);

/** arm: `callee from caller+0x12/0x34`, older `[<…>] (callee) from [<…>] (caller+0x12/0x34)`. */
const ARM_FRAME = new RegExp(
  `^\\s*(?:${ADDRESS} )?\\(?(${NAME})(?:${OFFSET})?\\)? (?:\\[([\\w-]{1,64})\\] )?from (?:${ADDRESS} )?\\(? {0,4}(?:(${NAME})${OFFSET})?\\)?(?: \\[([\\w-]{1,64})\\])?`,
);

/** Names of the register that holds the address of the faulting instruction, on each architecture. */
const POINTER =
  /^\s*(?:[RE]?IP(?: is at|:)? |[pP][cC] is at |[pP][cC] ?: ?|epc\s{0,4}: |NIP(?: |: ?)|ERA: |era\s{1,4}: |TPC: |IAOQ\[0\]: |--- interrupt: [\da-f]{1,4} at |Krnl PSW : |PSW: )/;

/** Where nothing of a function has run yet, nothing was called: a call that does not return stands in front of it. */
const AT_BEGINNING = /^0x0\//;

/** A label of the assembler, which is no function: powerpc's interrupts come at such places. */
const LABEL = /^\.?L\d{1,6}$/;

/** Segments of user space on x86: 0x33, 0x23, 0x73. */
const USER_SEGMENT = /^00(?:33|23|73):/;
const KERNEL_NAME = new RegExp(
  `^(?:\\w{4}:)?(?:\\s{0,4}(?:${ADDRESS}|<?[\\da-f]{8,16}>?:?)){0,3}\\s{0,4}[<(]?(${NAME})(?:${OFFSET}| \\(${SOURCE})(?: \\[([\\w-]{1,64})[^\\]]{0,64}\\])?(?: (${SOURCE}))?`,
);

/** What compilers add to the names of parts and copies of functions. */
const COMPILER_SUFFIX =
  /(?:\.(?:isra|constprop|part|cold|llvm|lto_priv|localalias|clone|cfi|cfi_jt|ccl)(?:\.\d+)*|\.\d+|\$[0-9a-f]{32})+$/;

/** Wrappers of system calls: their names tell the architecture and the kernel's version, not the call. */
const SYSCALL = /^(?:__(?:x64|ia32|x32|arm64|s390x?|riscv|powerpc|loongarch|se|do)_)(?:compat_)?(?=sys_)/;

/** A function's name that is equal over builds and architectures. */
export function stableName(symbol: string): string {
  const plain = symbol.replace(/^\.+/, '').replace(COMPILER_SUFFIX, '');
  if (plain.startsWith('_R')) return rustName(plain) ?? plain;
  return plain.replace(SYSCALL, '') || symbol;
}

/** The instruction pointer that a line tells: `user` for one of user space, `unnamed` for one outside every function. */
export function parsePointer(text: string): Frame | 'user' | 'unnamed' | undefined {
  const match = POINTER.exec(text);
  if (!match) return undefined;
  const rest = text.slice(match[0].length);
  if (USER_SEGMENT.test(rest)) return 'user';
  const named = KERNEL_NAME.exec(rest);
  if (!named || LABEL.test(named[1]!)) return 'unnamed';
  return frame(named[1]!, { offset: named[2], module: named[3], source: named[4], ip: true });
}

/** An address in the kernel that a line of a trace tells where the kernel has no symbols, or else the instruction pointer. */
const BARE_FRAME =
  /^\s*(?:(?:[RE]IP: (?:\w{4}:)?|pc : |PC is at |epc\s{0,4}: |NIP )?(?:\[?<?[\da-f]{8,16}>?\]?:? ){0,2}(?:\? )?0x([\da-f]{8,16})\b|Function entered at \[<([\da-f]{8,16})>\])/;

/** What of an address is equal whatever the place that the kernel and its modules were loaded at. */
const PAGE_DIGITS = 3;

/** The place within its page of what a line of a trace names only by its address. */
export function parseBareFrame(text: string): string | undefined {
  const match = BARE_FRAME.exec(text);
  return (match?.[1] ?? match?.[2])?.slice(-PAGE_DIGITS);
}

/** The frames of a line, the inner one first: arm names two in one line. */
export function parseFrames(text: string): Frame[] {
  const stack = STACK_FRAME.exec(text);
  if (stack && !/^ ?from /.test(text.slice(stack[0].length))) {
    const [, doubt, symbol, offset, module, source, unreliable] = stack;
    const reliable = !doubt && !unreliable && !AT_BEGINNING.test(offset!);
    return [frame(symbol!, { offset, module, source, reliable })];
  }
  if (text.includes(' from ')) {
    const arm = ARM_FRAME.exec(text);
    if (arm && (arm[4] !== undefined || / from (?:\[<|0x)/.test(text))) {
      const inner = frame(arm[1]!, { offset: arm[2], module: arm[3] });
      return arm[4] === undefined ? [inner] : [inner, frame(arm[4], { offset: arm[5], module: arm[6] })];
    }
  }
  const decoded = text.includes(':') && text.includes('(') ? DECODED_FRAME.exec(text) : null;
  if (decoded) {
    const [, doubt, symbol, source, module] = decoded;
    return [frame(symbol!, { source: source === '??:?' ? undefined : source, module, reliable: !doubt })];
  }
  if (!text.includes('inline')) return [];
  const inline = INLINE_FRAME.exec(text);
  if (!inline) return [];
  return [frame((inline[2] ?? inline[5])!, { source: inline[3] ?? inline[6], reliable: !(inline[1] ?? inline[4]) })];
}

interface FrameFacts {
  readonly offset?: string;
  readonly module?: string;
  readonly source?: string;
  readonly reliable?: boolean;
  readonly ip?: boolean;
}

function frame(symbol: string, { offset, module, source, reliable = true, ip = false }: FrameFacts): Frame {
  const known = {
    ...(offset === undefined ? {} : { offset }),
    ...(module === undefined ? {} : { module }),
    ...(source === undefined ? {} : { source }),
  };
  return { symbol, name: stableName(symbol), ...known, reliable, ip };
}
