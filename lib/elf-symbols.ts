// The functions in the symbol table of an ELF file, such as vmlinux (System V gABI, "Symbol Table").

import { ELF_HEADER_MAX, readElfHeader } from './elf.js';
import { PstoreError } from './errors.js';
import { readRange, type Storage } from './storage/storage.js';

const SHT_SYMTAB = 2;
/** Low four bits of st_info of a function. */
const STT_FUNC = 2;

/** Where the fields of Elf32_Shdr and Elf64_Shdr, Elf32_Sym and Elf64_Sym are. */
const LAYOUT = {
  32: { section: { size: 40, offset: 16, length: 20, link: 24 }, symbol: { size: 16, value: 4, length: 8, info: 12 } },
  64: { section: { size: 64, offset: 24, length: 32, link: 40 }, symbol: { size: 24, value: 8, length: 16, info: 4 } },
} as const;

/** A string of the table that is longer is no name of a function that was asked for. */
const MAX_NAME = 512;

/** Bytes of the symbol table that are read at a time: a multiple of both sizes of a symbol. */
const CHUNK = 48 << 14;

export interface FunctionSymbol {
  readonly address: bigint;
  /** Bytes. */
  readonly size: bigint;
}

/**
 * The functions of these names: static functions of one name can be several.
 * @throws PstoreError EBADMSG for what is no ELF file or has no symbol table
 */
export function findFunctions(file: Storage, names: ReadonlySet<string>): Map<string, FunctionSymbol[]> {
  const { path } = file;
  const header = readElfHeader(readRange(file, 0, ELF_HEADER_MAX), path);
  const { bits, endian } = header;
  const { section, symbol } = LAYOUT[bits];
  const isLittle = endian === 'little';
  const sections = viewOf(file, Number(header.shoff), header.shnum * section.size);
  const word = (view: DataView, at: number) =>
    bits === 64 ? view.getBigUint64(at, isLittle) : BigInt(view.getUint32(at, isLittle));
  const placeOf = (index: number) => {
    const at = index * section.size;
    if (at + section.size > sections.byteLength) throw damaged(path, `there is no section ${index}`);
    return {
      offset: Number(word(sections, at + section.offset)),
      length: Number(word(sections, at + section.length)),
      link: sections.getUint32(at + section.link, isLittle),
    };
  };
  const found = new Map<string, FunctionSymbol[]>();
  const table = [...Array(header.shnum).keys()].find((index) => {
    const at = index * section.size + 4;
    return at + 4 <= sections.byteLength && sections.getUint32(at, isLittle) === SHT_SYMTAB;
  });
  if (table === undefined) throw damaged(path, 'it has no symbol table; take the vmlinux that was not stripped');
  const symbols = placeOf(table);
  const strings = placeOf(symbols.link);
  const text = viewOf(file, strings.offset, strings.length);
  for (let done = 0; done < symbols.length; done += CHUNK) {
    const view = viewOf(file, symbols.offset + done, Math.min(CHUNK, symbols.length - done));
    for (let at = 0; at + symbol.size <= view.byteLength; at += symbol.size) {
      if ((view.getUint8(at + symbol.info) & 0xf) !== STT_FUNC) continue;
      const name = nameAt(text, view.getUint32(at, isLittle));
      if (!names.has(name)) continue;
      const function_ = { address: word(view, at + symbol.value), size: word(view, at + symbol.length) };
      found.set(name, [...(found.get(name) ?? []), function_]);
    }
  }
  return found;
}

/** @throws PstoreError EBADMSG where the file ends before */
function viewOf(file: Storage, offset: number, length: number): DataView {
  if (!(offset >= 0 && length >= 0 && offset + length <= file.size)) {
    throw damaged(file.path, `${length} bytes at offset ${offset} leave the file of ${file.size} bytes`);
  }
  const bytes = readRange(file, offset, length);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function nameAt(strings: DataView, from: number): string {
  let name = '';
  for (let at = from; at < strings.byteLength && name.length < MAX_NAME; at++) {
    const byte = strings.getUint8(at);
    if (byte === 0) break;
    name += String.fromCharCode(byte);
  }
  return name;
}

const damaged = (path: string, what: string) => new PstoreError('EBADMSG', `${path}: ${what}`, { path });
