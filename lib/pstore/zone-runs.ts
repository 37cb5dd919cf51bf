// Zones as a person reads them: a line for each one with a record, and one for all those in a row that are alike.

import type { ZoneInfo } from './backend.js';

/** A run of zones that has one line. */
export interface ZoneRun {
  readonly first: ZoneInfo;
  readonly last: ZoneInfo;
  /** Bytes of all of them. */
  readonly size: number;
  readonly reason: string | null;
}

/** Zones with a record, each of which has its own line. */
const WITH_RECORD: ReadonlySet<string> = new Set(['live', 'undecodable', 'ecc-damaged']);
/** Zones that are folded whatever the reason says of each. */
const WITHOUT_ZONE: ReadonlySet<string> = new Set(['unused', 'bad-signature']);

/** A line for each zone, or for a run of zones without a record of which the same is to be said. */
export function* zoneRuns(zones: Iterable<ZoneInfo>, all: boolean): Generator<ZoneRun> {
  let run: ZoneRun | undefined;
  for (const zone of zones) {
    if (run && !all && isAlike(run, zone)) {
      run = { ...run, last: zone, size: run.size + zone.size, reason: reasonOfBoth(run, zone) };
    } else {
      if (run) yield run;
      run = { first: zone, last: zone, size: zone.size, reason: zone.reason };
    }
  }
  if (run) yield run;
}

function isAlike({ first, reason }: ZoneRun, zone: ZoneInfo): boolean {
  if (first.type !== zone.type || first.state !== zone.state || WITH_RECORD.has(zone.state)) return false;
  return reason === zone.reason || WITHOUT_ZONE.has(zone.state);
}

function reasonOfBoth({ first, reason }: ZoneRun, zone: ZoneInfo): string | null {
  if (reason === zone.reason) return reason;
  return zone.state === 'unused' ? null : `the first ${first.reason}`;
}
