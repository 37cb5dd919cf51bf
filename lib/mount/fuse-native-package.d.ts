// What of fuse-native 2.2.6 is used here; the package has no types of its own.

declare module 'fuse-native' {
  export type Callback = (code: number, ...values: unknown[]) => void;

  export interface Options {
    allowOther?: boolean;
    allowRoot?: boolean;
    defaultPermissions?: boolean;
    fsname?: string;
    /** Anything after a comma in it becomes an option of its own. */
    subtype?: string;
    timeout?: false;
  }

  export default class Fuse {
    constructor(mountPoint: string, handlers: Record<string, (...args: never[]) => void>, options: Options);
    mount(done: (error: Error | null) => void): void;
    _op_getxattr(signal: Callback, path: string, name: string, value: Buffer, position: number): void;
    _op_listxattr(signal: Callback, path: string, list: Buffer): void;
  }
}
