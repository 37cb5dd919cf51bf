// Names that the kernel remembers by itself: which of them it is to forget, and when it is told so.

import { ROOT_INO } from '../tree/tree.js';
import { Frame, INVAL_INODE_OUT, Notify, OUT_HEADER } from './fuse-protocol.js';

/** More unlinks than will ever be on their way at one time. */
const MAX_AT_WORK = 1000;

/** Where the name of a record can stand: in the root, or in its backend's directory. */
const IN_ROOT = 1;
const IN_DIRECTORY = 2;

export class KernelNames {
  readonly #send: (bytes: Uint8Array, length: number) => void;
  readonly #notice = new Frame(OUT_HEADER.size + INVAL_INODE_OUT.size);
  /** By inode number: in which directories the kernel has been told of a name since it last dropped all names. */
  readonly #told = new Map<number, number>();
  /** Names of records that were erased since then, newest last. */
  readonly #erased = new Set<string>();
  /** Whether it can drop all names at once, without any lock: Linux 6.16 and later. */
  hasEpochs = false;

  constructor(send: (bytes: Uint8Array, length: number) => void) {
    this.#send = send;
  }

  /** The kernel is told of a record with two names by the one in this directory. */
  tell(ino: number, directory: number): void {
    if (!this.hasEpochs) return;
    this.#told.set(ino, (this.#told.get(ino) ?? 0) | (directory === ROOT_INO ? IN_ROOT : IN_DIRECTORY));
  }

  /** Makes the kernel forget every name, at once. */
  drop(): void {
    if (!this.hasEpochs) return;
    this.#notify(Notify.INC_EPOCH, 0);
    this.#told.clear();
    this.#erased.clear();
  }

  /** Somebody asks for a name that is not there: he may have been told that it is gone. */
  dropIfErased(name: string): void {
    if (this.#erased.has(name)) this.drop();
  }

  /** Somebody lists: what he sees is to hold for names, too. */
  dropIfAnyErased(): void {
    if (this.#erased.size > 0) this.drop();
  }

  /**
   * A record was erased by its name in `directory`, `alone` or with others. Their other names are taken back now: a lookup
   * that is on its way is forgotten, too, because the kernel takes an epoch from before it asked.
   */
  erased(ino: number, directory: number, name: string, alone: boolean): void {
    const other = directory === ROOT_INO ? IN_DIRECTORY : IN_ROOT;
    if (!alone || ((this.#told.get(ino) ?? 0) & other) !== 0) this.drop();
    else if (this.#told.has(ino)) this.#remember(name);
  }

  /**
   * The kernel drops the name that was unlinked, but some time after our answer: until the unlink returns, it would
   * still be there for somebody who has already been told by its other name, or by a listing, that the record is gone.
   * So it is remembered, and dropped before anybody is told.
   */
  #remember(name: string): void {
    this.#erased.add(name);
    if (this.#erased.size > MAX_AT_WORK) this.#erased.delete(this.#erased.keys().next().value!);
  }

  /**
   * The kernel counts one link down, but all are gone. And a listing that was answered before may bring the other name
   * back after the names were dropped: it is then asked for its attributes, which are no more, as nothing from before
   * this notice is believed. No lock of a directory is taken for this, and the inode is in use by the unlink itself, so
   * the kernel does not wait for anything here.
   */
  dropAttributes(ino: number): void {
    this.#notice.setU64(OUT_HEADER.size + INVAL_INODE_OUT.ino, ino);
    this.#notice.setU64(OUT_HEADER.size + INVAL_INODE_OUT.off, -1);
    this.#notice.setU64(OUT_HEADER.size + INVAL_INODE_OUT.len, 0);
    this.#notify(Notify.INVAL_INODE, INVAL_INODE_OUT.size);
  }

  /** Sends a message that answers nothing. @param body bytes after its header */
  #notify(code: number, body: number): void {
    const notice = this.#notice;
    notice.setU32(OUT_HEADER.len, OUT_HEADER.size + body);
    notice.setI32(OUT_HEADER.error, code);
    notice.setU64(OUT_HEADER.unique, 0);
    this.#send(notice.bytes, OUT_HEADER.size + body);
  }
}
