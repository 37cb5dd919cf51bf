// Takes from an open source what a page shows of it.

import { printableLine } from '../printable.js';
import type { Backend, BackendInfo, PstoreRecord } from '../pstore/backend.js';
import { ErasedRecords } from '../pstore/erased-records.js';
import { type Fact, infoFacts } from '../pstore/info-facts.js';
import type { Mounted } from '../tree/tree.js';
import type { Crash } from '../triage/crash.js';
import { type Dump, dumpsOf, isLog, type KeptRecord, nameOf } from '../triage/dump.js';
import { writer } from '../triage/explain.js';
import { explainDump } from '../triage/explained.js';
import { moduleOf, severityOf, whatOf } from '../triage/severity.js';
import type { PageImage, PagePart, PageRow, PageZone } from './data.js';

/** An open source, and what only who opened it knows. */
export interface PageSource {
  readonly mounted: Mounted;
  /** Bytes in use; 0 of a folder. */
  readonly size: number;
  /** What is known of the file: path, hash, the SOURCE that opens it again. */
  readonly facts: readonly Fact[];
}

export interface PageDump {
  readonly row: PageRow;
  readonly dump: Dump;
}

export function pageImage({ mounted, size, facts }: PageSource): PageImage {
  const { backend, label } = mounted;
  const found = backend.info();
  return {
    path: backend.path,
    label,
    backend: backend.name,
    size,
    facts: [...facts, ...infoFacts(backend.name, found)].map(([name, text]) => [
      printableLine(name),
      printableLine(text),
    ]),
    zones: Array.from(zonesOf(found, mounted.base ?? 0)),
  };
}

function* zonesOf({ zones, nextZone }: BackendInfo, base: number): Generator<PageZone> {
  for (const zone of zones) {
    const isNext = zone.type === 'dmesg' && zone.index === nextZone;
    yield { ...zone, type: printableLine(zone.type), offset: base + zone.offset, isNext };
  }
}

/** Gives the records of sources names that no two of a page share. */
export class PageIds {
  readonly #taken = new Set<string>();

  /** @param place as `dmesg-ramoops-0` */
  take(place: string): string {
    const wished = `r/${printableLine(place)}`;
    let id = wished;
    for (let n = 2; this.#taken.has(id); n++) id = `${wished}~${n}`;
    this.#taken.add(id);
    return id;
  }
}

/**
 * The dumps of a source, the erased ones after the others, as rows that are not explained yet.
 * @param image its number in the page
 * @param prefix before the ids, where the page has several sources
 */
export function* pageDumps({ mounted }: PageSource, image: number, ids: PageIds, prefix = ''): Generator<PageDump> {
  const base = mounted.base ?? 0;
  for (const dump of dumpsOf(recordsOf(mounted, mounted.backend))) {
    yield { dump, row: rowOf(dump, { image, base, id: ids.take(`${prefix}${nameOf(dump)}`) }) };
  }
  if (!mounted.backend.erased) return;
  for (const dump of dumpsOf(recordsOf(mounted, new ErasedRecords(mounted.backend)))) {
    yield { dump, row: rowOf(dump, { image, base, id: ids.take(`${prefix}erased/${nameOf(dump)}`) }) };
  }
}

function* recordsOf({ label }: Mounted, backend: Backend): Generator<KeptRecord> {
  for (let slot = 0; slot < backend.slots; slot++) {
    const record = backend.record(slot);
    if (record) yield { mounted: { backend, label }, record };
  }
}

interface Place {
  readonly id: string;
  readonly image: number;
  /** First byte of the source in its file. */
  readonly base: number;
}

/** A row without what only the text of a log tells: that takes longer than all else. */
function rowOf(dump: Dump, { id, image, base }: Place): PageRow {
  const { record } = dump.parts[0].kept;
  const parts = dump.parts.map(({ kept }) => partOf(kept.record, base));
  return {
    id,
    image,
    name: printableLine(nameOf(dump)),
    parts,
    type: printableLine(record.type),
    state: record.state,
    what: printableLine(whatOf(dump)),
    severity: severityOf(dump, undefined),
    title: printableLine(titleOf(record, undefined)),
    timeNs: record.mtimeNs,
    count: record.count,
    size: parts.reduce((sum, { size }) => sum + size, 0),
    isLog: isLog(record),
    isExplained: !isLog(record),
    crash: undefined,
    module: '',
    kernel: null,
    machine: null,
    hardware: null,
    verdict: 'ok',
    reasons: record.ecc === null ? [] : [`Error correction: ${printableLine(record.ecc)}.`],
  };
}

/** The row with what its text tells. @throws PstoreError EIO */
export function explainedRow({ row, dump }: PageDump): PageRow {
  if (row.isExplained) return row;
  const { explanation, reason } = explainDump(dump);
  const crash = writer(explanation, reason ?? undefined);
  const { kernel, machine, hardware, verdict, reasons } = crash ?? explanation;
  return {
    ...row,
    severity: severityOf(dump, crash),
    title: printableLine(titleOf(dump.parts[0].kept.record, crash)),
    isExplained: true,
    crash,
    module: moduleOf(crash),
    kernel,
    machine,
    hardware,
    verdict,
    reasons: reasons.map(printableLine),
  };
}

function partOf({ name, size, state, offset, compressed }: PstoreRecord, base: number): PagePart {
  return { name: printableLine(name), size, state, offset: base + offset, compressed };
}

function titleOf({ title, state }: PstoreRecord, crash: Crash | undefined): string {
  if (crash) return crash.title;
  if (title !== null) return title;
  return state === 'undecodable' ? 'cannot be decompressed' : '';
}
