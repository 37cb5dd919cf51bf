// The system calls that Node has no words for, through koffi: nothing else imports that package. It is loaded at the
// first call, and may be missing: every command but a mount does without it.

import { constants } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { CODES, type ErrorCode, PstoreError } from '../errors.js';
import type { DeviceCalls } from '../storage/device-calls.js';

const require = createRequire(import.meta.url);

/** What of koffi is used here. */
interface Koffi {
  load(path: null): { func<F>(definition: string): F };
  errno(): number;
  address(buffer: Uint8Array): bigint;
}

type Call<Args extends unknown[], Result = number> = (...args: Args) => Result;

interface Calls {
  readonly koffi: Koffi;
  readonly mount: Call<[source: string, target: string, type: string, flags: number, data: string]>;
  readonly umount2: Call<[target: string, flags: number]>;
  readonly socketpair: Call<[domain: number, type: number, protocol: number, pair: Int32Array]>;
  readonly recvmsg: Call<[socket: number, message: Uint8Array, flags: number]>;
  readonly flock: Call<[fd: number, operation: number]>;
  readonly setsid: Call<[]>;
  readonly ioctl: Call<[fd: number, request: number, argument: Int32Array]>;
  readonly fcntl: Call<[fd: number, command: number, type: 'int', argument: number]>;
  readonly poll: Call<[descriptors: Int32Array, count: number, timeoutMs: number]>;
  readonly loop: Call<[], unknown>;
  readonly backendFd: Call<[loop: unknown]>;
  readonly lseek: Call<[fd: number, offset: number, whence: number]>;
}

let calls: Calls | undefined;

/** @throws PstoreError ENODEV where koffi is not installed, or is not made for this machine */
function system(): Calls {
  calls ??= bind(loadKoffi());
  return calls;
}

/**
 * koffi's own JavaScript takes longer to load than all that we do with it, so its binary is loaded as it is where it
 * stands at its usual place for this machine.
 */
function loadKoffi(): Koffi {
  const platform = `${process.platform}-${process.arch}`;
  try {
    const folder = dirname(require.resolve(`@koromix/koffi-${platform}/package.json`));
    const module = { exports: {} as Koffi };
    process.dlopen(module, join(folder, platform.replace('-', '_'), 'koffi.node'));
    return module.exports;
  } catch {
    // Another C library, or a package manager with another order: koffi finds it.
  }
  try {
    return require('koffi') as Koffi;
  } catch (error) {
    const [reason] = (error as Error).message.split('\n');
    const sentence = `the npm package koffi, which cannot be loaded (${reason}); install it with "npm install koffi"`;
    throw new PstoreError('ENODEV', sentence, { cause: error });
  }
}

function bind(koffi: Koffi): Calls {
  const lib = koffi.load(null);
  return {
    koffi,
    mount: lib.func(
      'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
    ),
    umount2: lib.func('int umount2(const char *target, int flags)'),
    socketpair: lib.func('int socketpair(int domain, int type, int protocol, _Out_ int *pair)'),
    recvmsg: lib.func('long recvmsg(int socket, void *message, int flags)'),
    flock: lib.func('int flock(int fd, int operation)'),
    setsid: lib.func('int setsid()'),
    ioctl: lib.func('int ioctl(int fd, unsigned long request, _Inout_ int *argument)'),
    fcntl: lib.func('int fcntl(int fd, int command, ...)'),
    poll: lib.func('int poll(void *descriptors, unsigned long count, int timeout)'),
    loop: lib.func('void *uv_default_loop()'),
    backendFd: lib.func('int uv_backend_fd(void *loop)'),
    lseek: seekOf(lib),
  };
}

/** With 64 bits on every machine: musl's own lseek has them, glibc's has not where a long has 32. */
function seekOf(lib: ReturnType<Koffi['load']>): Calls['lseek'] {
  try {
    return lib.func('int64_t lseek64(int fd, int64_t offset, int whence)');
  } catch {
    return lib.func('int64_t lseek(int fd, int64_t offset, int whence)');
  }
}

const CODE_BY_ERRNO: ReadonlyMap<number, ErrorCode> = new Map(
  Object.entries(CODES)
    .map(([code, { errno }]) => [errno, code as ErrorCode] as const)
    .reverse(),
);

/** @throws PstoreError by errno, where a call has failed. `cause` has the errno's name as its code */
function checked(result: number, what: string): number {
  if (result >= 0) return result;
  const errno = system().koffi.errno();
  const name = getSystemErrorName(-errno);
  throw new PstoreError(CODE_BY_ERRNO.get(errno) ?? 'EIO', `${what}: ${name}`, {
    cause: Object.assign(new Error(name), { code: name }),
  });
}

/** Whether the system calls can be made here. */
export function hasSystemCalls(): boolean {
  return missingForSystemCalls() === undefined;
}

/** What has to be installed, and why, as the rest of a sentence; undefined where nothing is missing. */
export function missingForSystemCalls(): string | undefined {
  try {
    system();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** <sys/mount.h>: flags of mount(2). */
export const MountFlag = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  SYNCHRONOUS: 16,
  DIRSYNC: 128,
  NOATIME: 1024,
  NODIRATIME: 2048,
  SILENT: 32768,
  RELATIME: 1 << 21,
  STRICTATIME: 1 << 24,
  LAZYTIME: 1 << 25,
} as const;

/** mount(2). @param data options of the file system. @throws PstoreError */
export function mount(source: string, target: string, type: string, flags: number, data: string): void {
  checked(system().mount(source, target, type, flags, data), 'mount(2)');
}

/** <sys/mount.h> */
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

/**
 * umount2(2). Neither the file system nor its server is asked, so that a server can unmount what it serves.
 * @param lazy take it away now, and let go of it when its last user has left
 * @throws PstoreError EBUSY, EPERM, EINVAL
 */
export function umount(target: string, lazy: boolean): void {
  checked(system().umount2(target, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)), 'umount2(2)');
}

/** <sys/file.h> */
const LOCK_EX = 2;
const LOCK_NB = 4;

/** flock(2): an exclusive lock on the open file description. @returns false when somebody else has it. @throws PstoreError */
export function lockExclusively(fd: number): boolean {
  try {
    checked(system().flock(fd, LOCK_EX | LOCK_NB), 'flock(2)');
    return true;
  } catch (error) {
    if ((error as PstoreError).code === 'EAGAIN') return false;
    throw error;
  }
}

/** setsid(2): no terminal reaches this process any more. A process that leads its group already stays where it is. */
export function leaveSession(): void {
  system().setsid();
}

/** <fcntl.h>, and <asm-generic/fcntl.h> for all machines that koffi is made for. */
const F_GETFL = 3;
const F_SETFL = 4;
const F_SETOWN = 8;
const O_ASYNC = 0x2000;

/** fcntl(2): reading says EAGAIN where it would wait. @throws PstoreError */
export function setNonBlocking(fd: number): void {
  checked(system().fcntl(fd, F_SETFL, 'int', constants.O_RDWR | constants.O_NONBLOCK), 'fcntl(2)');
}

// ── ioctl(2) ──

/** <asm/ioctl.h>: a request says what it takes, and for whom it is. PowerPC numbers the directions in its own way. */
const isPowerPc = process.arch === 'ppc64';
const IOC_WRITE = isPowerPc ? 4 * 2 ** 29 : 1 * 2 ** 30;
const IOC_READ = isPowerPc ? 2 * 2 ** 29 : 2 * 2 ** 30;

function request(direction: number, type: number, number: number, size: number): number {
  return direction + size * 2 ** 16 + type * 2 ** 8 + number;
}

/** <linux/fs.h>: FS_IOC_GETFLAGS and FS_IOC_SETFLAGS name the size of a long; what they take is an int all the same. */
const LONG = is32Bit() ? 4 : 8;
const FS_IOC_GETFLAGS = request(IOC_READ, 0x66, 1, LONG);
const FS_IOC_SETFLAGS = request(IOC_WRITE, 0x66, 2, LONG);
const FS_IMMUTABLE_FL = 0x10;

function ioctl(
  fd: number,
  number: number,
  argument: ArrayBufferView & { buffer: ArrayBufferLike },
  what: string,
): number {
  return checked(system().ioctl(fd, number, new Int32Array(argument.buffer)), `ioctl(${what})`);
}

function clearImmutable(fd: number): boolean {
  const flags = new Int32Array(2);
  ioctl(fd, FS_IOC_GETFLAGS, flags, 'FS_IOC_GETFLAGS');
  if ((flags[0]! & FS_IMMUTABLE_FL) === 0) return false;
  flags[0]! &= ~FS_IMMUTABLE_FL;
  ioctl(fd, FS_IOC_SETFLAGS, flags, 'FS_IOC_SETFLAGS');
  return true;
}

/** <mtd/mtd-abi.h>: struct erase_info_user64, and the offset that MEMGETBADBLOCK asks for. */
const MEMERASE64 = request(IOC_WRITE, 0x4d, 20, 16);
const MEMGETBADBLOCK = request(IOC_WRITE, 0x4d, 11, 8);
/** <asm/papr-platform-dump.h>: both take the tag. */
const CREATE_HANDLE = request(IOC_WRITE, 0xb2, 6, 8);
const INVALIDATE = request(IOC_WRITE, 0xb2, 7, 8);

/** Undefined without koffi, which is loaded now. */
export function systemDeviceCalls(): DeviceCalls | undefined {
  return hasSystemCalls() ? DEVICE_CALLS : undefined;
}

/** Each throws PstoreError by errno. */
const DEVICE_CALLS: DeviceCalls = {
  lockExclusively,
  clearImmutable,
  nextData,
  isBadBlock: (fd, offset) => ioctl(fd, MEMGETBADBLOCK, BigInt64Array.of(BigInt(offset)), 'MEMGETBADBLOCK') > 0,
  eraseFlash: (fd, offset, length) =>
    void ioctl(fd, MEMERASE64, BigUint64Array.of(BigInt(offset), BigInt(length)), 'MEMERASE64'),
  openPlatformDump: (fd, tag) =>
    ioctl(fd, CREATE_HANDLE, BigUint64Array.of(tag), 'PAPR_PLATFORM_DUMP_IOC_CREATE_HANDLE'),
  invalidatePlatformDump: (fd, tag) =>
    void ioctl(fd, INVALIDATE, BigUint64Array.of(tag), 'PAPR_PLATFORM_DUMP_IOC_INVALIDATE'),
};

/**
 * fcntl(2), O_ASYNC: this process ends by SIGIO as soon as nobody reads from a pipe, or a socket, that it has for writing,
 * whatever it is doing then. Nothing may be written as long as that holds.
 * @returns false where nobody reads from it any more
 * @throws PstoreError
 */
export function setEndsWithReader(fd: number, ends: boolean): boolean {
  const { fcntl, poll } = system();
  const flags = checked(fcntl(fd, F_GETFL, 'int', 0), 'fcntl(2)');
  checked(fcntl(fd, F_SETOWN, 'int', process.pid), 'fcntl(2)');
  checked(fcntl(fd, F_SETFL, 'int', ends ? flags | O_ASYNC : flags & ~O_ASYNC), 'fcntl(2)');
  const descriptor = Int32Array.of(fd, 0);
  return poll(descriptor, 1, 0) <= 0 || (new Uint16Array(descriptor.buffer)[3]! & (POLLERR | POLLHUP)) === 0;
}

// ── poll(2) ──

/** <poll.h> */
const POLLIN = 1;
const POLLERR = 8;
const POLLHUP = 16;

/** Waits until one of two descriptors can be read. */
export class ReadableOf {
  /** struct pollfd twice: an int, and two shorts. */
  readonly #descriptors = new Int32Array(4);
  readonly #returned = new Uint16Array(this.#descriptors.buffer);
  readonly #poll: Calls['poll'];

  /** @throws PstoreError ENODEV without koffi */
  constructor(first: number, second: number) {
    this.#poll = system().poll;
    this.#descriptors[0] = first;
    this.#descriptors[2] = second;
    this.#returned[2] = this.#returned[6] = POLLIN;
  }

  /** @param timeoutMs milliseconds, or -1 for no end */
  wait(timeoutMs: number): void {
    // A signal ends the wait, too, and leaves what was returned the last time.
    if (this.#poll(this.#descriptors, 2, timeoutMs) < 0) this.#returned[3] = this.#returned[7] = 0;
  }

  /** Whether something came from the first: data, or that it was closed. */
  get first(): boolean {
    return this.#returned[3] !== 0;
  }

  get second(): boolean {
    return this.#returned[7] !== 0;
  }
}

/**
 * The descriptor of Node's own event loop: it can be read when a signal, a child process or anything else waits for the
 * loop to turn (libuv: uv_backend_fd, made to embed one loop in another).
 */
export function eventLoopFd(): number {
  const { loop, backendFd } = system();
  return checked(backendFd(loop()), 'uv_backend_fd');
}

// ── descriptors by socket ──

/** <sys/socket.h> */
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CMSG_CLOEXEC = 0x4000_0000;

/** socketpair(2): two connected sockets. @throws PstoreError */
export function socketPair(): [number, number] {
  const pair = new Int32Array(2);
  checked(system().socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 'socketpair(2)');
  return [pair[0]!, pair[1]!];
}

/**
 * Takes a descriptor that another process has sent (unix(7), SCM_RIGHTS).
 * @returns undefined when the other end was closed without one
 * @throws PstoreError
 */
export function receiveDescriptor(socket: number): number | undefined {
  const { koffi, recvmsg } = system();
  // struct iovec, struct msghdr and struct cmsghdr are made of words as wide as a pointer.
  const word = is32Bit() ? 4 : 8;
  const data = new Uint8Array(1);
  const control = new Uint8Array(8 * word);
  const iovec = words(word, [koffi.address(data), 1n]);
  // name and its length; iovec and how many; control and its length; flags.
  const message = words(word, [0n, 0n, koffi.address(iovec), 1n, koffi.address(control), BigInt(control.length), 0n]);
  if (checked(recvmsg(socket, message, MSG_CMSG_CLOEXEC), 'recvmsg(2)') === 0) return undefined;
  // cmsg_len is a word, cmsg_level and cmsg_type are ints; what is sent follows.
  const ints = new Int32Array(control.buffer);
  const level = word / 4;
  const isDescriptor = ints[0]! >= 4 * (level + 3) && ints[level] === SOL_SOCKET && ints[level + 1] === SCM_RIGHTS;
  return isDescriptor ? ints[level + 2] : undefined;
}

function is32Bit(): boolean {
  return process.arch === 'arm' || process.arch === 'ia32';
}

function words(size: number, values: readonly bigint[]): Uint8Array {
  const array = size === 8 ? BigUint64Array.from(values) : Uint32Array.from(values, Number);
  return new Uint8Array(array.buffer);
}

/** <unistd.h>: what lseek(2) looks for. */
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/**
 * The next run of data of an open file from an offset on, as SEEK_DATA and SEEK_HOLE tell; undefined after the last.
 * @throws PstoreError EINVAL, ENOTSUP where the file system does not tell; ENODEV without koffi
 */
function nextData(fd: number, offset: number): { from: number; to: number } | undefined {
  const { lseek, koffi } = system();
  const from = Number(lseek(fd, offset, SEEK_DATA));
  if (from < 0 && getSystemErrorName(-koffi.errno()) === 'ENXIO') return undefined;
  checked(from, 'lseek');
  return { from, to: checked(Number(lseek(fd, from, SEEK_HOLE)), 'lseek') };
}
