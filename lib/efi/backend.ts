// The backend efi: dumps that Linux's efi-pstore keeps in EFI variables.

import { PstoreError } from '../errors.js';
import type { Backend, BackendInfo, SpaceUsage } from '../pstore/backend.js';
import type { SourceKeys } from '../pstore/keys.js';
import type { BackendKind, FilesContext, OpenContext } from '../pstore/kind.js';
import { NOT_TAKEN_BACK, type Piece, type PieceState, type PieceStore } from '../pstore/piece.js';
import { PieceBackend } from '../pstore/pieces.js';
import { probeAndOpen, type Recognised } from '../pstore/recognised.js';
import { timeOfSeconds } from '../pstore/record.js';
import { keyOfFile } from '../storage/folder.js';
import type { SurvivingStorage } from '../storage/surviving.js';
import { counted, type Warnings } from '../warnings.js';
import { efiAnywhere } from './anywhere.js';
import { type DumpName, parseDumpName, RECORD_TYPES } from './dump-name.js';
import { FlashImage, findStores, MAX_FLASH, searchStores } from './flash.js';
import type { FoundDump, Listing, VariablePlace } from './place.js';
import { readSaved } from './saved.js';
import { probeFolder, SavedFile, VariableFolder, VmwareFile } from './saved-place.js';
import { knownUnread } from './unread.js';
import { printableName } from './variable.js';
import { readVmware } from './vmware.js';

const FORMAT = 'efi';
/** What file names have: since Linux 6.2 (commit 893c5f1de620), and before. */
const BACKEND_NAMES = ['efi_pstore', 'efi'] as const;

const TYPES = [...RECORD_TYPES, 'unknown'] as const;

/** A larger file is no flash image: it is looked at only where somebody says that it is one. */
const MAX_PROBED = 2 * MAX_FLASH;

export const efi: BackendKind = {
  name: FORMAT,
  summary: 'EFI variables: flash images of virtual machines and boards, efivarfs and copies of it',
  keys: ['backend_name', 'record_size'],
  types: TYPES,
  source: 'file',
  isAskedFirst: () => true,
  ...probeAndOpen({
    recognise,
    open: openPlace,
    maxProbed: MAX_PROBED,
    refusal: 'no store of EFI variables is found in it, and it is no saved variable',
  }),
  anywhere: efiAnywhere,
  folder: {
    probe: probeFolder,
    open: (context) => openFolder(context),
  },
};

/** What a file is, told once for recognising and for opening. */
function recognise(storage: SurvivingStorage, most: number): Recognised<VariablePlace> | undefined {
  const vmware = storage.once('efi vmware', () => readVmware(storage));
  if (vmware) return { sure: 1, place: () => new VmwareFile(storage, vmware) };
  const stores = storage.size <= most ? findStores(storage) : [];
  if (stores.length > 0) return { sure: 1, place: () => new FlashImage(storage, stores) };
  const fileName = storage.path.slice(storage.path.lastIndexOf('/') + 1);
  const saved = storage.once('efi saved', () => readSaved(storage, fileName));
  if (saved) return { sure: saved.variables.count > 0 ? 0.9 : 0.5, place: () => new SavedFile(storage, saved) };
  return storage.size <= most ? recogniseUnread(storage) : undefined;
}

/** A board's image without a store where edk2 has it, and what else is known by sight. */
function recogniseUnread(storage: SurvivingStorage): Recognised<VariablePlace> | undefined {
  const end = Math.min(storage.size, MAX_FLASH);
  const what = knownUnread(storage, end);
  if (what === undefined) return undefined;
  const stores = searchStores(storage, 0, end);
  if (stores.length > 0) {
    const placed = stores.map((store) => ({ store, volume: null }));
    return { sure: 0.9, place: () => new FlashImage(storage, placed) };
  }
  const refuse = () => {
    const advice = what.includes('qcow2')
      ? 'convert it first: qemu-img convert -O raw'
      : 'its layout is known by name only; on the running machine copy the folder /sys/firmware/efi/efivars';
    throw new PstoreError('ENOTSUP', `${storage.path} holds ${what}, which is not read; ${advice}`, {
      path: storage.path,
    });
  };
  return { sure: 0.1, place: refuse };
}

function openFolder({ folder, ...context }: FilesContext): Backend {
  return openPlace(new VariableFolder(folder), context, folder.writable);
}

type PlaceContext = Pick<OpenContext, 'path' | 'keys' | 'warnings' | 'cache'>;

function openPlace(place: VariablePlace, context: PlaceContext, isWritable: boolean): Backend {
  const { keys, cache } = context;
  const store = new DumpStore(place, context, isWritable && !keys.flag('ro'));
  return new PieceBackend(store, { cache, salvage: keys.flag('salvage'), types: TYPES });
}

interface DumpPiece extends Piece {
  readonly found: FoundDump;
}

/** drivers/firmware/efi/efi-pstore.c, record_size_default. */
const RECORD_SIZE = 1024;
/** efi-pstore's record_size= takes less than any variable store has. */
const MAX_RECORD_SIZE = 16 << 20;
/** arch/x86/platform/efi/quirks.c, EFI_MIN_RESERVE: a kernel writes nothing that would leave less. */
const MIN_RESERVE = 5120;
/** Header, name and alignment of one more dump. */
const RECORD_OVERHEAD = 128;

class DumpStore implements PieceStore<DumpPiece> {
  readonly name: string;
  readonly path: string;
  readonly warnings: Warnings;
  readonly writable: boolean;
  readonly #place: VariablePlace;
  readonly #recordSize: number;
  readonly #keys: SourceKeys;
  #listing: Listing | undefined;
  #pieces: DumpPiece[] = [];

  constructor(place: VariablePlace, { path, keys, warnings }: PlaceContext, writable: boolean) {
    this.#place = place;
    this.path = path;
    this.warnings = warnings;
    this.writable = writable && place.whyNotErased === null;
    this.name = keys.choice('backend_name', BACKEND_NAMES) ?? BACKEND_NAMES[0];
    this.#recordSize = keys.size('record_size') ?? RECORD_SIZE;
    if (this.#recordSize < RECORD_SIZE || this.#recordSize > MAX_RECORD_SIZE) {
      throw new PstoreError('EINVAL', `record_size=${this.#recordSize}: efi_pstore takes ${RECORD_SIZE} at least`);
    }
    this.#keys = keys;
  }

  scan(): readonly DumpPiece[] {
    const isFirst = this.#listing === undefined;
    this.#listing = this.#place.list();
    this.#pieces = this.#listing.dumps.map((found) => this.#piece(found));
    if (isFirst) this.#warn(this.#listing);
    return this.#pieces;
  }

  #piece(found: FoundDump): DumpPiece {
    const { variable, file } = found;
    const parsed = parseDumpName(variable.name);
    const { length } = variable.data;
    return {
      found,
      key: `${file ? keyOfFile(file) : ''} ${variable.offset} ${variable.size} ${variable.state} ${variable.name}`,
      type: parsed?.type ?? 'unknown',
      id: parsed?.id ?? 0n,
      name: parsed ? `${parsed.type}-${this.name}-${parsed.id}` : fileNameOf(variable.name),
      mtimeNs: timeOfSeconds(parsed?.seconds ?? 0n),
      count: parsed?.count ?? null,
      part: parsed?.part ?? null,
      isCompressed: parsed?.compressed ?? false,
      state: stateOf(found, parsed),
      offset: variable.offset,
      size: length,
      room: variable.size,
      title: parsed ? null : printableName(variable.name),
      remark: remarkOf(found, parsed, length, this.#recordSize),
      data: variable.data,
    };
  }

  // ── what a person should know ──

  #warn({ damages, space }: Listing): void {
    for (const { text, offset } of damages) this.warnings.add('store-damaged', `${this.path}: ${text}`, offset);
    const live = this.#pieces.filter(({ state }) => state === 'live');
    this.#warnOfNames();
    this.#warnOfLarge(live);
    this.#warnOfHidden();
    const needed = MIN_RESERVE + this.#recordSize + RECORD_OVERHEAD;
    if (space && space.freeForDumps < needed) this.#warnOfSpace(space.freeForDumps);
  }

  #warnOfNames(): void {
    const first = this.#pieces.find(({ found, title }) => title !== null && found.variable.state === 'live');
    if (!first) return;
    const what = `the variable ${first.title} has the GUID of dumps, but no dump's name`;
    this.warnings.add(
      'record-hidden',
      `${this.path}: ${what}: a kernel shows none of the dumps after it; salvage shows it, too`,
      first.offset,
    );
  }

  #warnOfHidden(): void {
    const hidden = this.#pieces.filter(({ state, title }) => state === 'salvaged' && title === null);
    if (hidden.length === 0 || this.#keys.flag('salvage')) return;
    const dumps = counted(hidden.length, 'dump is damaged, or stands', 'dumps are damaged, or stand');
    const what = `${dumps} where no firmware looks (the first at offset ${hidden[0]!.offset})`;
    this.warnings.add(
      'record-hidden',
      `${this.path}: ${what}; salvage shows what can be read of them`,
      hidden[0]!.offset,
    );
  }

  #warnOfLarge(live: readonly DumpPiece[]): void {
    const large = live.filter(({ size }) => size > this.#recordSize);
    if (large.length === 0) return;
    const most = large.reduce((max, { size }) => Math.max(max, size), 0);
    this.warnings.add(
      'record-hidden',
      `${this.path}: ${counted(large.length, 'dump is', 'dumps are')} larger than ${this.#recordSize} bytes (up to ${most}): a kernel without efi_pstore.record_size=${most} shows none of them, nor what follows`,
      large[0]!.offset,
    );
  }

  #warnOfSpace(freeBytes: number): void {
    const erased = this.#pieces.filter(({ state }) => state === 'erased').length;
    const advice =
      erased > 0
        ? `the firmware gets the room of ${erased} erased dumps back when it starts next`
        : 'remove dumps, and start the machine once';
    this.warnings.add(
      'store-full',
      `${this.path}: only ${freeBytes} bytes are free in the variable store, of which a kernel keeps ${MIN_RESERVE}: the next crash is not recorded; ${advice}`,
    );
  }

  // ── changing ──

  get whyNotErased(): string | null {
    return this.#place.whyNotErased;
  }

  erase(piece: DumpPiece): void {
    this.#place.erase(piece.found);
  }

  whyNotRestored({ found }: DumpPiece): string | null {
    const { name } = found.variable;
    const isUsed = this.#pieces.some((other) => other.state === 'live' && other.found.variable.name === name);
    return isUsed ? 'a newer variable has its name' : (found.hidden ?? (this.#place.restore ? null : NOT_TAKEN_BACK));
  }

  restore({ found }: DumpPiece): void {
    this.#place.restore!(found);
  }

  // ── the whole ──

  space(): SpaceUsage {
    const live = this.#pieces.filter(({ state }) => state === 'live');
    const { bytes, freeBytes, freeForDumps } = this.#listing?.space ?? {
      bytes: sum(live),
      freeBytes: 0,
      freeForDumps: 0,
    };
    const usable = Math.max(0, freeForDumps - MIN_RESERVE);
    return { bytes, freeBytes, records: live.length, freeSlots: Math.floor(usable / (RECORD_SIZE + RECORD_OVERHEAD)) };
  }

  info(): Omit<BackendInfo, 'zones'> {
    const { space, others } = this.#listing!;
    const states = (state: PieceState) => this.#pieces.filter((piece) => piece.state === state).length;
    return {
      format: FORMAT,
      abi: null,
      geometry: space ? { store_size: space.bytes, free_size: space.freeBytes } : {},
      confidence: {},
      kernelParameters: this.#keys.has('record_size') ? [`efi_pstore.record_size=${this.#recordSize}`] : [],
      sourceKeys: ['backend_name', 'record_size']
        .filter((key) => this.#keys.has(key))
        .map((key) => `${key}=${this.#keys.text(key)}`)
        .join(','),
      counters: null,
      nextZone: null,
      details: {
        'kept in': this.#place.format,
        ...this.#place.details,
        dumps: `${states('live')} live, ${states('erased')} erased, ${states('salvaged')} that only salvage shows`,
        'other variables': `${others}, which are neither shown nor touched`,
        ...(this.#place.whyNotErased !== null && { erasing: `not here: ${this.#place.whyNotErased}` }),
      },
    };
  }

  close(): void {
    this.#place.close();
  }
}

function sum(pieces: readonly Piece[]): number {
  return pieces.reduce((bytes, { size }) => bytes + size, 0);
}

function stateOf({ variable, isStray }: FoundDump, parsed: DumpName | undefined): PieceState {
  if (variable.state === 'erased') return 'erased';
  return variable.state === 'live' && !isStray && parsed ? 'live' : 'salvaged';
}

/** What a name that fits no form may be called in a folder: no slash, no control, no option of a command, not too long. */
function fileNameOf(name: string): string {
  const safe = name.replace(/[^A-Za-z0-9._+=@-]/g, '_').slice(0, MAX_FILE_NAME);
  return /^\.*$/.test(safe) ? `unnamed${safe.replaceAll('.', '_')}` : safe.replace(/^[.-]/, '_');
}

const MAX_FILE_NAME = 128;

const REMARKS: Readonly<Record<string, string>> = {
  erased: 'its name and data are still there until the firmware reclaims the space',
  unfinished: 'its writing was cut off: the data may not be whole, and no firmware shows it',
  torn: 'its header was never declared valid: the data may not be there at all',
  damaged: 'its state is one that no firmware writes',
};

function remarkOf(
  { variable, hidden }: FoundDump,
  parsed: DumpName | undefined,
  size: number,
  recordSize: number,
): string | null {
  const remarks = [
    REMARKS[variable.state],
    hidden ?? undefined,
    parsed ? undefined : `its name fits no form of a dump's: ${printableName(variable.name)}`,
    parsed?.type === 'unknown'
      ? `its name has a type that no kernel knows: ${printableName(variable.name)}`
      : undefined,
    size > recordSize ? `larger than a kernel with record_size=${recordSize} shows` : undefined,
  ];
  return remarks.filter((remark) => remark !== undefined).join('; ') || null;
}
