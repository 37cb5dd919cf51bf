// Whether a virtual machine of QEMU has an image open: it reads and writes it at any time, and keeps to itself what it read.

import { fstatSync, readdirSync, readFileSync, statSync } from 'node:fs';

/**
 * QEMU locks bytes of an image that it has open, from 100 on for what it does itself and from 200 on for what others may
 * not do (block/file-posix.c, RAW_LOCK_PERM_BASE, RAW_LOCK_SHARED_BASE).
 */
const QEMU_LOCKS = { from: 100, to: 300 };
const OFD_LOCK = /^\d+:\s+OFDLCK\s+\S+\s+\S+\s+\S+\s+([0-9a-f]+):([0-9a-f]+):(\d+)\s+(\d+)\s+/gm;

/**
 * Whether a list of locks has one that QEMU makes on a file.
 * @param locks as /proc/locks has them
 */
export function hasQemuLock(locks: string, dev: number, ino: number): boolean {
  const [wantedMajor, wantedMinor] = [majorOf(dev), minorOf(dev)];
  for (const [, major, minor, inode, start] of locks.matchAll(OFD_LOCK)) {
    const isFile = Number(inode) === ino && Number.parseInt(major!, 16) === wantedMajor;
    if (!isFile || Number.parseInt(minor!, 16) !== wantedMinor) continue;
    if (Number(start) >= QEMU_LOCKS.from && Number(start) < QEMU_LOCKS.to) return true;
  }
  return false;
}

/** Device numbers as glibc's gnu_dev_major() and gnu_dev_minor() take them apart. */
function majorOf(dev: number): number {
  return Math.floor(dev / 256) % 4096;
}

function minorOf(dev: number): number {
  return (dev % 256) + Math.floor(dev / 2 ** 20) * 256;
}

/** Names of processes that are machines, as /proc cuts them: qemu-system-x86_64, qemu-kvm, kvm. */
const MACHINE = /^(?:qemu-system|qemu-kvm|kvm$)/m;

function runningMachines(): readonly string[] {
  return readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name) && isMachine(name));
}

function isMachine(pid: string): boolean {
  try {
    // As UTF-8 a file is read by one call of Node; any other way takes five, for each process.
    return MACHINE.test(readFileSync(`/proc/${pid}/comm`, 'utf8'));
  } catch {
    // The process has ended in the meantime.
    return false;
  }
}

/** Whether a machine has the file open without any lock: so it is with the memory that acpi-erst keeps its records in. */
function isOpenIn(machines: readonly string[], dev: number, ino: number): boolean {
  for (const pid of machines) {
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        const file = statSync(`/proc/${pid}/fd/${fd}`, { throwIfNoEntry: false });
        if (file?.dev === dev && file.ino === ino) return true;
      }
    } catch {
      // The process has ended in the meantime, or is another user's.
    }
  }
  return false;
}

/** Whether a machine of QEMU has the file open now. */
export function isHeldByQemu(fd: number): boolean {
  const { dev, ino } = fstatSync(fd);
  try {
    return hasQemuLock(readFileSync('/proc/locks', 'latin1'), dev, ino) || isOpenIn(runningMachines(), dev, ino);
  } catch {
    // Without /proc nobody can tell.
    return false;
  }
}

/** Who reads many images does not look for machines again before this time is over. */
const REMEMBERED_MS = 1000;
let remembered: { readonly at: number; readonly machines: readonly string[] } | undefined;

function rememberedMachines(): readonly string[] {
  const now = Date.now();
  if (!remembered || Math.abs(now - remembered.at) >= REMEMBERED_MS) {
    remembered = { at: now, machines: runningMachines() };
  }
  return remembered.machines;
}

/**
 * The same for who only reads: what is read may change. Locks are asked for where there are machines at all: for the first
 * one that asks, the kernel brings them together for ten milliseconds.
 * @param isMemory whether the image may be open without a lock
 */
export function isUsedByQemu(fd: number, isMemory: boolean): boolean {
  const { dev, ino } = fstatSync(fd);
  try {
    const machines = rememberedMachines();
    if (machines.length === 0) return false;
    return hasQemuLock(readFileSync('/proc/locks', 'latin1'), dev, ino) || (isMemory && isOpenIn(machines, dev, ino));
  } catch {
    return false;
  }
}
