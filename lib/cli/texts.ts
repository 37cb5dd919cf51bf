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
  return { path: '-', names: [], reason: null, time: null, explanation: explainBytes(inUtf8(stdinChunks()), options) };
}

/** By the mark that it begins with: Windows' shell writes the output of a command in letters of two bytes. */
function decoderOf([first, second]: Uint8Array) {
  const mark = (first ?? 0) * 256 + (second ?? 0);
  return new TextDecoder(mark === 0xfffe ? 'utf-16le' : mark === 0xfeff ? 'utf-16be' : 'utf-8');
}

function* inUtf8(chunks: Iterable<Uint8Array>): Generator<Uint8Array> {
  let decoder: ReturnType<typeof decoderOf> | undefined;
  for (const bytes of chunks) {
    decoder ??= decoderOf(bytes);
    yield decoder.encoding === 'utf-8' ? bytes : Buffer.from(decoder.decode(bytes, { stream: true }));
  }
}

function isLog(sample: Uint8Array): boolean {
  const decoder = decoderOf(sample);
  return isLogText(decoder.encoding === 'utf-8' ? sample : Buffer.from(decoder.decode(sample, { stream: true })));
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
      return isLog(readRange(file, 0, TEXT_SAMPLE));
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
    return sample.length === 0 || isLog(sample);
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
  let decoder = new TextDecoder();
  let isFirst = true;
  try {
    for await (const bytes of createReadStream(path)) {
      if (isFirst) decoder = decoderOf(bytes as Buffer);
      isFirst = false;
      explainer.push(decoder.decode(bytes as Buffer, { stream: true }));
    }
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
    return explainBytes(inUtf8(chunks()), options);
  } finally {
    file.close();
  }
}
