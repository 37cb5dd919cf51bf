// The backend vmcoredd: the dumps that device drivers added to a vmcore, found from its headers alone, and the crashed
// kernel's own log, found in its memory. Read-only.

import { PstoreError } from '../errors.js';
import { printable } from '../printable.js';
import {
  type Backend,
  type BackendInfo,
  type PstoreRecord,
  parseRecordName,
  type RecordContent,
  type SpaceUsage,
  type ZoneInfo,
} from '../pstore/backend.js';
import { PiecesContent } from '../pstore/content.js';
import type { BackendKind, OpenContext } from '../pstore/kind.js';
import { NANOSECONDS, NO_DETAILS } from '../pstore/record.js';
import { Extent } from '../storage/extent.js';
import { readRange, type Storage } from '../storage/storage.js';
import type { Warnings } from '../warnings.js';
import { vmcoreAnywhere } from './anywhere.js';
import {
  type CrashDump,
  eachNote,
  MAX_NOTES,
  type NoteStep,
  openCrashDump,
  probeCrashDump,
  vmcoreinfoOf,
  vmcoreinfoOfSubHeader,
} from './crash-dump.js';
import { DumpTable } from './dump-table.js';
import { type KernelLog, readKernelLog } from './kernel-log.js';
import {
  type ElfNote,
  isDeviceDump,
  isOfProcess,
  isVmcoreinfo,
  NOTE_HEADER_SIZE,
  noteTypeName,
  VMCOREDD_HEADER_SIZE,
  VMCOREDD_NAME_SIZE,
} from './note.js';
import type { NoteArea } from './note-areas.js';
import { type Vmcoreinfo, vmcoreinfoPageSize } from './vmcoreinfo.js';

const NAME = 'vmcoredd';
const TYPE = 'device';
/** The kernel's log: no driver added it, so it is named after the vmcore. */
const LOG_TYPE = 'dmesg';
const LOG_NAME = `${LOG_TYPE}-vmcore-0`;
/** Notes that `info` lists one by one; the kernel makes a few for each CPU. */
const MAX_LISTED_NOTES = 4096;
/** What the kernel takes where VMCOREINFO does not say more. */
const DEFAULT_PAGE_SIZE = 4096;

const open = (context: OpenContext) => new VmcoreddBackend(context);

export const vmcoredd: BackendKind = {
  name: NAME,
  summary: 'dumps of devices inside a vmcore (ELF core, or compressed by makedumpfile), and its kernel log',
  keys: [],
  types: [TYPE, LOG_TYPE],
  source: 'file',
  probe: (storage) => {
    const sure = probeCrashDump(storage);
    return sure > 0 ? { sure, open } : undefined;
  },
  open,
  anywhere: vmcoreAnywhere,
};

/** A device dump as its note tells it. */
interface Placed {
  readonly dataOffset: number;
  /** Bytes of data that are there. */
  readonly available: number;
  /** Why it is not shown, or not whole; null when all is well. */
  readonly damage: string | null;
  readonly shown: boolean;
}

class VmcoreddBackend implements Backend {
  readonly name = NAME;
  readonly path: string;
  readonly warnings: Warnings;
  readonly writable = false;
  readonly #storage: Storage;
  /** What the dumps' data are read from: it says so where a block cannot be read. */
  readonly #content: Storage;
  readonly #dump: CrashDump;
  readonly #dumps = new DumpTable();
  #info: Vmcoreinfo = new Map();
  readonly #log: KernelLog | undefined;
  #notes = 0;
  /** Whether a note of a process was among them. */
  #isOfProcess = false;
  /** The device dump that a warning was given for last. */
  #damaged = -1;

  constructor(context: OpenContext) {
    this.path = context.path;
    this.warnings = context.warnings;
    this.#dump = openCrashDump(context.storage, context.warnings);
    this.#storage = this.#dump.storage;
    this.#content = this.#dump.flattened ? this.#storage : context.storage.medium;
    for (const step of eachNote(this.#dump)) this.#take(step);
    if (this.#info.size === 0) this.#info = vmcoreinfoOfSubHeader(this.#dump);
    this.#log = readKernelLog(this.#dump, this.#info);
    const { trouble } = this.#log ?? {};
    if (this.slots > 0 && trouble && !this.#isHead()) this.#warnOfLog(trouble);
    if (this.slots === 0 && this.warnings.list.length === 0) this.#warnOfNothing();
  }

  /** Whether somebody kept a vmcore up to the end of its notes, for their sake: no log is expected of it. */
  #isHead(): boolean {
    return this.#dump.areas.some(({ declaredEnd }) => declaredEnd === this.#storage.size);
  }

  #warnOfLog(trouble: string): void {
    const what = this.#logSize > 0 ? 'is not whole' : 'cannot be read, and is not shown';
    this.warnings.add('record-short', `${this.path}: the kernel's log ${what}: ${trouble}`);
  }

  #warnOfNothing(): void {
    const log = this.#log ? this.#whyNoLog(this.#log) : 'its notes do not say where the kernel keeps its log';
    if (this.#isOfProcess && !this.#log) {
      const sentence = `${this.path}: this is the core of a process, not of a kernel: gdb reads it, with the program`;
      this.warnings.add('no-records', sentence);
      return;
    }
    this.warnings.add(
      'no-records',
      `${this.path}: this vmcore has no device dumps, and no kernel log can be read from it (${log}); crash and makedumpfile read the rest`,
    );
  }

  #whyNoLog({ trouble }: KernelLog): string {
    return trouble ?? 'the kernel had not logged anything';
  }

  get #logSize(): number {
    return this.#log?.text.length ?? 0;
  }

  #isLog(slot: number): boolean {
    return slot === this.#dumps.length && this.#logSize > 0;
  }

  get slots(): number {
    return this.#dumps.length + (this.#logSize > 0 ? 1 : 0);
  }

  #take(step: NoteStep): void {
    if (step.kind === 'too-many') {
      this.#warn(`there are more than ${MAX_NOTES} notes; those from here on are not read`, step.offset);
    } else if (step.kind === 'area-end') {
      const told = step.end.kind === 'cut' && step.end.offset === this.#damaged;
      if (step.end.kind === 'cut' && !told) this.#warn(endSentence(step.area), step.end.offset);
    } else if (step.kind === 'gap') {
      const isShown = step.offset === this.#damaged;
      this.#warn(gapSentence(step.next, isShown), step.offset);
      if (step.isBeforeDump && !isShown) this.#dumps.pushLost();
    } else {
      this.#notes++;
      if (isOfProcess(step.note)) this.#isOfProcess = true;
      if (this.#info.size === 0 && isVmcoreinfo(step.note)) this.#info = vmcoreinfoOf(this.#dump, step.note, step.area);
      if (!isDeviceDump(step.note)) return;
      const placed = place(step.note, step.area);
      if (placed.damage) {
        this.#warn(placed.damage, step.note.offset);
        this.#damaged = step.note.offset;
      }
      if (placed.shown) this.#dumps.push(step.note.offset, placed.dataOffset - step.note.offset, placed.available);
    }
  }

  #warn(sentence: string, offset: number): void {
    this.warnings.add('note-damaged', `${this.path}: at ${offset}: ${sentence}`, offset);
  }

  record(slot: number): PstoreRecord | undefined {
    if (this.#isLog(slot)) return this.#logRecord(slot);
    if (!this.#dumps.has(slot)) return undefined;
    const name = readRange(this.#storage, this.#dumps.dataOffset(slot) - VMCOREDD_NAME_SIZE, VMCOREDD_NAME_SIZE);
    return {
      slot,
      type: TYPE,
      id: slot,
      name: `${TYPE}-${NAME}-${slot}`,
      size: this.#dumps.size(slot),
      mtimeNs: null,
      reason: null,
      count: null,
      compressed: null,
      state: 'live',
      offset: this.#dumps.noteOffset(slot),
      title: printable(name) || null,
      ecc: null,
    };
  }

  /** CRASHTIME is the second in which the kernel crashed (kernel/crash_core.c). */
  #logRecord(slot: number): PstoreRecord {
    const seconds = this.#info.get('CRASHTIME') ?? '';
    return {
      slot,
      type: LOG_TYPE,
      id: 0,
      name: LOG_NAME,
      size: this.#logSize,
      ...NO_DETAILS,
      mtimeNs: /^[0-9]{1,10}$/.test(seconds) ? BigInt(seconds) * NANOSECONDS : null,
      state: 'live',
      offset: 0,
    };
  }

  find(name: string): number | undefined {
    if (name === LOG_NAME) return this.#logSize > 0 ? this.#dumps.length : undefined;
    const parsed = parseRecordName(NAME, name);
    if (!parsed || parsed.type !== TYPE || parsed.suffix !== '' || !this.#dumps.has(parsed.id)) return undefined;
    return parsed.id;
  }

  generation(): number {
    return 0;
  }

  open(slot: number): RecordContent {
    if (this.#isLog(slot)) return new PiecesContent([this.#log!.text]);
    if (!this.#dumps.has(slot)) {
      throw new PstoreError('ENOENT', `${this.path}: there is no device dump ${slot}`, { path: this.path });
    }
    const offset = this.#dumps.dataOffset(slot);
    return new PiecesContent([Extent.at(this.#content, offset, this.#dumps.size(slot))]);
  }

  erase(): void {
    throw new PstoreError('EPERM', `${this.path}: a device dump cannot be taken out of a vmcore`, { path: this.path });
  }

  space(): SpaceUsage {
    return {
      bytes: this.#dumps.bytes + this.#logSize,
      freeBytes: 0,
      records: this.slots - this.#dumps.lost,
      freeSlots: 0,
    };
  }

  info(): BackendInfo {
    const told = vmcoreinfoPageSize(this.#info) ?? this.#dump.pageSize;
    const release = this.#info.get('OSRELEASE');
    return {
      format: this.#dump.format,
      abi: { endian: this.#dump.endian, wordBits: this.#dump.wordBits, align: this.#is386() ? 4 : 8 },
      geometry: { page_size: told ?? DEFAULT_PAGE_SIZE },
      confidence: { page_size: told === null ? 0.5 : 1 },
      kernelParameters: [],
      sourceKeys: '',
      counters: null,
      nextZone: null,
      zones: this.#zones(),
      details: {
        ...(this.#dump.machine && { machine: this.#dump.machine }),
        ...this.#dump.details,
        ...(release && { 'kernel release': release }),
        'device dumps': String(this.#dumps.length - this.#dumps.lost),
        'other notes': String(this.#notes - this.#dumps.length + this.#dumps.lost),
        'kernel log': this.#logText(),
      },
    };
  }

  #logText(): string {
    if (!this.#log) return 'none: VMCOREINFO does not say where it is';
    const { trouble } = this.#log;
    if (this.#logSize === 0) return `none: ${this.#whyNoLog(this.#log)}`;
    return `${this.#logSize} bytes${trouble ? `, not whole: ${trouble}` : ''}`;
  }

  #is386(): boolean {
    return this.#dump.wordBits === 32 && /^i[3-6]86$/.test(this.#dump.machine);
  }

  /** The notes, found anew while they are listed; how many more there are than are listed. */
  *#zones(): Generator<ZoneInfo> {
    let index = 0;
    for (const step of eachNote(this.#dump)) {
      if (index === MAX_LISTED_NOTES) {
        const offset = step.kind === 'note' ? step.note.offset : step.kind === 'gap' ? step.offset : step.area.end;
        const reason = `${this.#notes - index} more notes are not listed one by one`;
        yield { index, type: 'note', offset, size: step.area.end - offset, state: 'other', reason };
        return;
      }
      const zone = describe(step, index);
      if (!zone) continue;
      index++;
      yield zone;
    }
  }

  close(): void {
    this.#storage.close();
  }
}

/** Where a device dump's data are, and what is wrong with it. */
function place(note: ElfNote, area: NoteArea): Placed {
  const dataOffset = note.descOffset + VMCOREDD_NAME_SIZE;
  const available = Math.min(note.descEnd, area.end) - dataOffset;
  if (note.descsz < VMCOREDD_NAME_SIZE) {
    const damage = `a device dump has a descriptor of ${note.descsz} bytes, less than the ${VMCOREDD_NAME_SIZE} of its name; it is not shown`;
    return { dataOffset, available: 0, damage, shown: false };
  }
  if (available < 0) {
    const damage = `a device dump is cut at ${area.end}, inside its header of ${VMCOREDD_HEADER_SIZE} bytes; it is not shown`;
    return { dataOffset, available: 0, damage, shown: false };
  }
  const cut =
    note.descEnd > area.end
      ? `a device dump should have ${note.descsz - VMCOREDD_NAME_SIZE} bytes, but ${limitName(area)} ends at ${area.end}; its first ${available} bytes are shown`
      : null;
  return { dataOffset, available, damage: cut, shown: true };
}

/** What ends at the end of an area: its segment, or the file before that. */
function limitName(area: NoteArea): string {
  if (area.declaredEnd > area.end) return 'the file';
  return area.program === null ? 'the run of notes' : `the note segment of program header ${area.program}`;
}

function gapSentence(next: number, isShown: boolean): string {
  return `the header of a note is damaged${isShown ? '' : ', and the note is not shown'}; the next one is found at ${next}`;
}

function endSentence(area: NoteArea): string {
  return `a note goes on after ${area.end}, where ${limitName(area)} ends; no note can follow it`;
}

function describe(step: NoteStep, index: number): ZoneInfo | undefined {
  if (step.kind === 'note') return describeNote(step.note, step.area, index);
  if (step.kind === 'gap') {
    const { offset, next } = step;
    return { index, type: 'note', offset, size: next - offset, state: 'invalid', reason: 'no whole header' };
  }
  if (step.kind === 'too-many' || step.end.kind === 'end') return undefined;
  const { offset, kind } = step.end;
  const size = step.area.end - offset;
  if (kind === 'padding') {
    return { index, type: 'padding', offset, size, state: 'unused', reason: 'zeros after the last note' };
  }
  // A note that is cut after its header was listed itself.
  if (size >= NOTE_HEADER_SIZE) return undefined;
  const reason = `cut inside the header of a note by the end of ${limitName(step.area)}`;
  return { index, type: 'note', offset, size, state: 'truncated', reason };
}

/** All fields are written out: with a million notes, spreading objects would take most of the time. */
function describeNote(note: ElfNote, area: NoteArea, index: number): ZoneInfo {
  const { offset } = note;
  const size = Math.min(note.next, area.end) - offset;
  if (isDeviceDump(note)) {
    const { damage, shown } = place(note, area);
    const state = shown ? (damage ? 'truncated' : 'live') : 'invalid';
    return { index, type: TYPE, offset, size, state, reason: damage };
  }
  const cut = note.descEnd > area.end;
  const reason = cut ? `${otherNoteText(note)}, cut by the end of ${limitName(area)}` : otherNoteText(note);
  return { index, type: 'note', offset, size, state: cut ? 'truncated' : 'other', reason };
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** `CORE type 1 (PRSTATUS), 336 bytes`. */
function otherNoteText(note: ElfNote): string {
  const meaning = noteTypeName(note);
  const name = /^[\x20-\x7e]*$/.test(note.name) ? note.name : printable(latin1(note.name));
  return `${name || 'a note without a name'} type ${note.type}${meaning ? ` (${meaning})` : ''}, ${note.descsz} bytes`;
}
