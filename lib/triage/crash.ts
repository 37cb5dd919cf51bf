// What is known of a crash.

import type { Frame } from './frame.js';
import type { Kind } from './rule.js';
import type { Taint } from './taint.js';
import type { Verdict } from './verdict.js';

/** The facts of a crash that the lines around it tell; null for what the log does not tell. */
export interface CrashContext {
  /** The release, as `uname -r` prints it. */
  readonly kernel: string | null;
  /** The kernel's first line, with compiler and build. */
  readonly build: string | null;
  readonly architecture: string | null;
  /** What the firmware calls the machine. */
  readonly hardware: string | null;
  /** The machine's name, where a syslog wrote it. */
  readonly machine: string | null;
  readonly comm: string | null;
  readonly pid: number | null;
  readonly cpu: number | null;
  readonly taint: Taint | null;
  /** Seconds since the kernel started. */
  readonly uptime: number | null;
  /** ISO 8601; without a zone where the log tells none. */
  readonly wall: string | null;
  readonly modules: readonly string[];
}

export interface Crash extends CrashContext {
  /** In the form that kernel developers know from syzbot, at most 120 characters. */
  readonly title: string;
  readonly kind: Kind;
  /** The function to blame; `corrupted` where the log was cut before one could be read. */
  readonly function: string | null;
  /** `1:<kind>:<12 hexadecimal digits>`: equal for equal crashes of all builds. */
  readonly signature: string;
  /** The reliable frames of the crash's own stack, the inner one first. */
  readonly frames: readonly Frame[];
  /** The kernel went on to panic. */
  readonly panicked: boolean;
  /** Number of the line in the log that the crash begins at, from 1. */
  readonly line: number;
  readonly verdict: Verdict;
  /** Sentences on which the verdict rests. */
  readonly reasons: readonly string[];
}
