// The backend platform-dump: dumps that firmware keeps (PAPR, ibm,platform-dump), or a folder of saved ones. Reading a
// dump never removes it; only unlink does.

import { PstoreError } from '../errors.js';
import { printable } from '../printable.js';
import type { Backend, BackendInfo, PstoreRecord, RecordContent, SpaceUsage, ZoneInfo } from '../pstore/backend.js';
import type { SourceKeys } from '../pstore/keys.js';
import type { Finding, FolderContext, FolderKind } from '../pstore/kind.js';
import { type Firmware, type FirmwareDump, LOCKDOWNS } from '../storage/firmware.js';
import { firmwareError, SPOOL_LIMIT, Spool, type SpooledDump } from '../storage/spool.js';
import { FileContent, SpooledContent } from './contents.js';
import { damage, firstBytes, hasDumps } from './first-bytes.js';
import { dumpFileName, dumpNameTime, type PlatformDumpHeader, readPlatformDumpHeader, safeFileName } from './format.js';
import { ReadSpans } from './read-spans.js';

const NAME = 'platform-dump';
const TYPE = 'dump';
/** The lockdown that hides contents. */
const LOCKED = 'confidentiality';
/** How long the machine's lockdown is taken for unchanged, in milliseconds: a read should not cost another one. */
const LOCKDOWN_HOLDS = 100;

const open = (context: FolderContext) => new PlatformDumpBackend(context);

export const platformDump: FolderKind = {
  name: NAME,
  summary: 'a folder of saved platform dumps (PAPR firmware), or the device that gives them',
  keys: ['tag', 'spool', 'lockdown', 'force_invalidate'],
  types: [TYPE],
  source: 'folder',
  probe,
  open,
};

function probe(firmware: Firmware): Finding<FolderContext> | undefined {
  return hasDumps(firmware) ? { sure: 0.9, open } : undefined;
}

/** More than a machine has; each is a descriptor. */
const MAX_TAGS = 256;

/** `tag=0x100:0x101`: the dumps that are meant, where the firmware does not list them. @throws PstoreError EINVAL */
export function tagsOf(keys: SourceKeys): bigint[] {
  const text = keys.text('tag');
  const words = text === undefined ? [] : text.split(':');
  if (words.length > MAX_TAGS) throw new PstoreError('EINVAL', `tag=: ${words.length} tags are more than ${MAX_TAGS}`);
  return words.map((word) => {
    if (!/^(0x[0-9a-f]{1,16}|\d{1,20})$/i.test(word) || BigInt(word) >= 2n ** 64n) {
      throw new PstoreError(
        'EINVAL',
        `tag=${text}: ${word || 'nothing'} is no tag; give numbers with colons between them`,
      );
    }
    return BigInt(word);
  });
}

/** One dump of the firmware. */
interface Dump {
  readonly tag: bigint;
  readonly identity: string;
  /** What to call it in messages: the file that it was saved in, or its tag. */
  readonly place: string;
  /** File name, unique. */
  readonly name: string;
  /** The header's name, printable, or null. */
  readonly title: string | null;
  readonly mtimeNs: bigint | null;
  /** Bytes, where the firmware said so at once. */
  readonly listedSize: number | null;
  /** What `info` has to say of its header. */
  readonly remark: string | null;
  readonly spooled: SpooledDump;
  /** What was read of it, since it is there. */
  readonly spans: ReadSpans;
  /** Its header could not be fetched. */
  readonly isUnseen: boolean;
  /** Why it could not be fetched; said once. */
  trouble: string | null;
}

class PlatformDumpBackend implements Backend {
  readonly name = NAME;
  readonly path: string;
  readonly warnings: FolderContext['warnings'];
  readonly writable: boolean;
  readonly countsReads = true;
  readonly #firmware: Firmware;
  readonly #context: FolderContext;
  readonly #spool: Spool;
  readonly #forced: boolean;
  /** By slot; a slot is used again when its dump is gone. */
  readonly #dumps: (Dump | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #slotsByName = new Map<string, number>();
  #locked = false;
  /** Milliseconds; when the machine's lockdown is looked at again. */
  #lockedUntil = 0;

  constructor(context: FolderContext) {
    const { keys, firmware, warnings } = context;
    this.path = context.path;
    this.warnings = warnings;
    this.#context = context;
    this.#firmware = firmware;
    this.writable = firmware.writable && !keys.flag('ro');
    this.#forced = keys.flag('force_invalidate');
    keys.choice('lockdown', LOCKDOWNS);
    const folder = keys.text('spool');
    const complain = (sentence: string) => warnings.add('source-failed', sentence);
    this.#spool = new Spool(firmware, () => context.scratch(folder), complain);
    // A folder that was named is tried at once, not when the first dump is read.
    if (folder !== undefined) context.scratch(folder).close();
    this.refresh();
    this.#generations.fill(0);
  }

  get slots(): number {
    return this.#dumps.length;
  }

  // ── listing ──

  refresh(): boolean {
    const listed = new Map(this.#firmware.tags().map((dump) => [dump.tag, dump]));
    let changed = false;
    for (const [slot, dump] of this.#dumps.entries()) {
      if (!dump) continue;
      if (listed.get(dump.tag)?.identity === dump.identity && !this.#hasHeaderNow(dump)) listed.delete(dump.tag);
      else {
        this.#drop(slot, dump);
        changed = true;
      }
    }
    for (const dump of listed.values()) {
      this.#add(dump);
      changed = true;
    }
    return changed;
  }

  /** Whether the header can be had of a dump that was listed without. */
  #hasHeaderNow(dump: Dump): boolean {
    if (!dump.isUnseen) return false;
    try {
      return firstBytes(this.#firmware, dump.tag).length > 0;
    } catch (error) {
      if (error instanceof PstoreError) return false;
      throw error;
    }
  }

  #add(listed: FirmwareDump): void {
    const free = this.#dumps.indexOf(undefined);
    const slot = free < 0 ? this.#dumps.length : free;
    const dump = this.#describe(listed);
    this.#dumps[slot] = dump;
    this.#generations[slot] = (this.#generations[slot] ?? 0) + 1;
    this.#slotsByName.set(dump.name, slot);
  }

  #drop(slot: number, dump: Dump): void {
    this.#dumps[slot] = undefined;
    this.#generations[slot]!++;
    this.#slotsByName.delete(dump.name);
    dump.spooled.remove();
  }

  #describe(listed: FirmwareDump): Dump {
    const { header, trouble, remark } = this.#readHeader(listed);
    const named = (header && dumpFileName(header.name)) ?? (listed.fileName && safeFileName(listed.fileName));
    return {
      tag: listed.tag,
      identity: listed.identity,
      place: placeOf(listed),
      name: this.#unique(named ?? `${NAME}-${listed.tag}`),
      title: header && header.name.length > 0 ? printable(header.name) : null,
      mtimeNs: (header && dumpNameTime(header.name)) ?? listed.mtimeNs,
      listedSize: listed.size,
      remark,
      spooled: this.#spool.dump(listed.tag),
      spans: new ReadSpans(),
      isUnseen: trouble !== null,
      trouble,
    };
  }

  /** A dump whose header cannot be had goes by the name of its file, or by its tag. */
  #readHeader(listed: FirmwareDump): {
    header: PlatformDumpHeader | undefined;
    trouble: string | null;
    remark: string | null;
  } {
    const { tag, size } = listed;
    const by = listed.fileName ? 'the name of its file' : 'its tag';
    try {
      const bytes = firstBytes(this.#firmware, tag);
      const header = readPlatformDumpHeader(bytes);
      const remark = header ? damage(header, bytes, size) : `no header of a saved dump: it goes by ${by}`;
      if (header && remark !== null) this.warnings.add('header-damaged', `${this.path}: ${placeOf(listed)}: ${remark}`);
      return { header, trouble: null, remark };
    } catch (error) {
      if (!(error instanceof PstoreError)) throw error;
      this.warnings.add('source-failed', error.message);
      return { header: undefined, trouble: error.message, remark: error.message };
    }
  }

  /** The name, or with `.2` and so on after it where that is taken, by another dump or by this backend's folder. */
  #unique(name: string): string {
    if (name !== NAME && !this.#slotsByName.has(name)) return name;
    let n = 2;
    while (this.#slotsByName.has(`${name}.${n}`)) n++;
    return `${name}.${n}`;
  }

  record(slot: number): PstoreRecord | undefined {
    const dump = this.#dumps[slot];
    if (!dump) return undefined;
    const size = () => this.#sizeOf(dump);
    return {
      slot,
      type: TYPE,
      id: slot,
      name: dump.name,
      get size() {
        return size();
      },
      mtimeNs: dump.mtimeNs,
      reason: null,
      count: null,
      compressed: null,
      state: 'live',
      offset: 0,
      title: dump.title,
      ecc: null,
    };
  }

  find(name: string): number | undefined {
    return this.#slotsByName.get(name);
  }

  generation(slot: number): number {
    return this.#generations[slot] ?? 0;
  }

  /**
   * Bytes for a listing. Firmware does not say how large a dump is: it is fetched to its end once, and the spool keeps
   * what fits. A dump that cannot be fetched has 0 bytes, and is tried again the next time.
   */
  #sizeOf(dump: Dump): number {
    const known = this.#knownSize(dump);
    if (known !== undefined) return known;
    if (this.#isLocked()) return 0;
    try {
      return dump.spooled.size();
    } catch (error) {
      if (!(error instanceof PstoreError)) throw error;
      if (dump.trouble !== error.message) this.warnings.add('source-failed', error.message);
      dump.trouble = error.message;
      return 0;
    }
  }

  #knownSize(dump: Dump): number | undefined {
    return dump.listedSize ?? dump.spooled.knownSize;
  }

  #isLocked(): boolean {
    const now = performance.now();
    if (now >= this.#lockedUntil) {
      this.#locked = (this.#context.keys.choice('lockdown', LOCKDOWNS) ?? this.#context.lockdown()) === LOCKED;
      this.#lockedUntil = now + LOCKDOWN_HOLDS;
    }
    return this.#locked;
  }

  // ── contents ──

  open(slot: number): RecordContent {
    const dump = this.#dumps[slot];
    if (!dump) throw new PstoreError('ENOENT', `${this.path}: there is no dump in slot ${slot}`, { path: this.path });
    const checkLock = () => {
      if (!this.#isLocked()) return;
      throw new PstoreError(
        'EPERM',
        `${this.path}: the contents of ${dump.name} are not shown, because the machine is locked down for confidentiality`,
        { path: this.path },
      );
    };
    const file = this.#firmware.openFile?.(dump.tag);
    if (file) return new FileContent(file, dump.spans, checkLock);
    return new SpooledContent(dump.spooled, dump.spans, checkLock);
  }

  // ── removing ──

  /**
   * Removes the dump from the firmware.
   * @throws PstoreError EROFS; EBUSY while it has not been read to its end, or the firmware says so; EPERM, EIO
   */
  erase(slot: number): void {
    if (!this.writable) {
      throw new PstoreError('EROFS', `${this.path} is read-only: no dump can be removed from it`, { path: this.path });
    }
    const dump = this.#dumps[slot];
    if (!dump) return;
    if (!this.#forced) this.#checkWasRead(dump);
    let status = this.#firmware.invalidate(dump.tag);
    if (status === 'in-progress' && this.#forced) {
      dump.spooled.drain();
      status = this.#firmware.invalidate(dump.tag);
    }
    if (status === 'in-progress') throw this.#busy(dump, 'the firmware says that it is still being fetched');
    if (status !== 'complete' && status !== 'no-such-dump') throw firmwareError(this.#firmware, dump.tag, status);
    this.#drop(slot, dump);
  }

  /** Whoever removes a dump must have had the chance to save it. */
  #checkWasRead(dump: Dump): void {
    const size = this.#knownSize(dump);
    if (size !== undefined && dump.spans.covers(size)) return;
    const of = size === undefined ? '' : ` of ${size}`;
    throw this.#busy(dump, `it has not been read to its end (${dump.spans.bytes}${of} bytes)`);
  }

  #busy(dump: Dump, why: string): PstoreError {
    const what = this.#forced
      ? 'try again later'
      : 'what another command has read does not count: copy it first in a mount and remove it there, or, when it is saved, give force_invalidate';
    return new PstoreError('EBUSY', `${this.path}: ${dump.name} is not removed, because ${why}; ${what}`, {
      path: this.path,
    });
  }

  // ── the whole ──

  space(): SpaceUsage {
    let bytes = 0;
    let records = 0;
    for (const dump of this.#dumps) {
      if (!dump) continue;
      records++;
      bytes += this.#knownSize(dump) ?? 0;
    }
    return { bytes, freeBytes: 0, records, freeSlots: 0 };
  }

  info(): BackendInfo {
    const { keys } = this.#context;
    const locked = this.#isLocked();
    const given = ['tag', 'spool', 'lockdown']
      .filter((key) => keys.has(key))
      .map((key) => `${key}=${keys.text(key)!.replaceAll(',', ',,')}`);
    return {
      format: NAME,
      abi: null,
      geometry: { dumps: this.space().records },
      confidence: {},
      kernelParameters: [],
      sourceKeys: [...given, ...(this.#forced ? ['force_invalidate'] : [])].join(','),
      counters: null,
      nextZone: null,
      zones: this.#zones(),
      details: {
        lockdown: `${keys.text('lockdown') ?? this.#context.lockdown()}${locked ? ': contents are not shown' : ''}`,
        spool: this.#firmware.openFile
          ? 'not needed: saved dumps can be read in any order'
          : `${this.#spool.bytes} of at most ${SPOOL_LIMIT} bytes in use`,
        ...(this.#forced && { removal: 'forced: a dump need not have been read' }),
      },
    };
  }

  *#zones(): Generator<ZoneInfo> {
    for (const [index, dump] of this.#dumps.entries()) {
      if (!dump) continue;
      const size = this.#knownSize(dump);
      const remarks = [
        ...(dump.remark === null ? [] : [dump.remark]),
        ...(size === undefined ? ['its size is not known before it was fetched once'] : []),
        ...(dump.trouble === null || dump.trouble === dump.remark ? [] : [dump.trouble]),
        size !== undefined && dump.spans.covers(size) ? 'read to its end: rm removes it' : 'not read to its end',
      ];
      const state = dump.trouble === null ? 'live' : 'unreadable';
      yield { index, type: TYPE, offset: 0, size: size ?? 0, state, reason: `${dump.place}: ${remarks.join('; ')}` };
    }
  }

  close(): void {
    this.#spool.close();
    this.#firmware.close();
  }
}

/** The file that a dump was saved in, made printable, or its tag. */
function placeOf({ tag, fileName }: FirmwareDump): string {
  return fileName ? `the file ${printable(fileName)}` : `tag ${tag}`;
}
