// Texts that are no records: standard input and files.

import { createReadStream, statSync } from 'node:fs';
import { fromSystem } from '../errors.js';
import { openImage, reasonOf, sourceKind } from '../storage/file.js';
import { peekStdin } from '../storage/stdin-ahead.js';
import { isBrokenPlace, pieces, readRange, type Storage } from '../storage/storage.js';
import { type Packed, packedAs, unpack } from '../storage/unpack.js';
import { Explainer, type ExplainOptions, type Explanation, explainBytes } from '../triage/explain.js';
import type { Explained } from '../triage/explained.js';
import { isLogText, TEXT_SAMPLE } from '../triage/text.js';
import { Warnings } from '../warnings.js';
import { stdinChunks } from './stdin.js';

/** Bytes that are read at a time. */
const CHUNK = 256 << 10;

export function explainStdin(options: ExplainOptions): Explained {
  return { path: '-', names: [], reason: null, time: null, explanation: explainBytes(stdinChunks(), options) };
}

/**
 * Whether what a path names is text, and no image: what waits, as a FIFO does, is a text.
 * @param path of a file, or `-` for standard input, which is read again by whoever takes it
 */
export function isText(path: string): boolean {
  if (path === '-') return isTextOnStdin();
  // Says what is wrong with a path in the words that a source has for it.
  if (!isStream(path) && sourceKind(path) === 'folder') return false;
  if (isStream(path)) return true;
  try {
    const file = openUnpacked(path);
    try {
      return isLogText(readRange(file, 0, TEXT_SAMPLE));
    } finally {
      file.close();
    }
  } catch (error) {
    // A source survives a first block that cannot be read.
    if (isBrokenPlace(error)) return false;
    throw error;
  }
}

/** A file of text may be compressed, as logs are when they are rotated; disks of virtual machines are sources. */
function openUnpacked(path: string): Storage {
  const file = openImage(path, { mode: 'read' });
  let packed: Packed | undefined;
  try {
    packed = packedAs(file);
  } catch (error) {
    file.close();
    throw error;
  }
  if (packed?.kind !== 'stream') return file;
  file.close();
  return unpack(path, packed, new Warnings());
}

/** Nothing at all is a text, too, of which it is said that it is empty. */
function isTextOnStdin(): boolean {
  try {
    const sample = peekStdin(TEXT_SAMPLE);
    return sample.length === 0 || isLogText(sample);
  } catch (error) {
    throw fromSystem(error, `standard input cannot be read: ${reasonOf(error)}`);
  }
}

/** What cannot be looked at is no stream; who opens it says why. */
function isStream(path: string): boolean {
  try {
    const stats = statSync(path);
    return stats.isFIFO() || stats.isCharacterDevice() || stats.isSocket();
  } catch {
    return false;
  }
}

export async function explainFile(path: string, options: ExplainOptions): Promise<Explained> {
  const explanation = isStream(path) ? await explainStream(path, options) : explainStored(path, options);
  return { path, names: [], reason: null, time: null, explanation };
}

async function explainStream(path: string, options: ExplainOptions): Promise<Explanation> {
  const explainer = new Explainer(options);
  const decoder = new TextDecoder();
  try {
    for await (const bytes of createReadStream(path)) explainer.push(decoder.decode(bytes as Buffer, { stream: true }));
  } catch (error) {
    throw fromSystem(error, `${path} cannot be read: ${reasonOf(error)}`, { path });
  }
  explainer.push(decoder.decode());
  return explainer.end();
}

function explainStored(path: string, options: ExplainOptions): Explanation {
  const file = openUnpacked(path);
  function* chunks(): Generator<Uint8Array> {
    for (const { bytes } of pieces(file, { length: CHUNK })) yield bytes;
  }
  try {
    return explainBytes(chunks(), options);
  } finally {
    file.close();
  }
}
