// Files that people take for a crash-log image and that are something else: told by their magic numbers, with the program
// that reads them. Asked only where no backend recognises a file, for any bytes may stand at the beginning of an image.

import { isText } from '../pstore/plausible-text.js';
import { readRange, type Storage } from '../storage/storage.js';

interface OtherFormat {
  /** As it stands after "is". */
  readonly name: string;
  /** Offset and bytes. All of them must be there. A text stands for its bytes in Latin-1. */
  readonly magic: readonly (readonly [offset: number, bytes: string])[];
  /** What to do. */
  readonly advice: string;
}

const at0 = (bytes: string): OtherFormat['magic'] => [[0, bytes]];
const at = (offset: number, bytes: string): OtherFormat['magic'] => [[offset, bytes]];

const unpack = (program: string) => `unpack it first (${program})`;
const CRASH = 'crash reads it, with the vmlinux of its kernel';
const VOLATILITY = 'volatility reads it';
const CONVERT = 'make a plain image of it first (qemu-img convert -O raw)';
const WINDBG = 'WinDbg reads it';
const PARTITION = 'give the partition of the crash log instead';
const FILE_SYSTEM = 'mount it, and give the image or the folder of dumps that is in it';

/** Those with longer magic numbers first where one begins as another does. */
const FORMATS: readonly OtherFormat[] = [
  // Packed.
  { name: 'gzip data', magic: at0('\x1f\x8b'), advice: unpack('gunzip') },
  { name: 'xz data', magic: at0('\xfd7zXZ\0'), advice: unpack('unxz') },
  { name: 'zstd data', magic: at0('\x28\xb5\x2f\xfd'), advice: unpack('unzstd') },
  { name: 'lz4 data', magic: at0('\x04\x22\x4d\x18'), advice: unpack('unlz4') },
  { name: 'bzip2 data', magic: at0('BZh'), advice: unpack('bunzip2') },
  { name: 'lzma data', magic: at0('\x5d\0\0\x80\0'), advice: unpack('unlzma') },
  { name: 'lzma data', magic: at0('\x5d\0\0\x04\0'), advice: unpack('unlzma') },
  { name: 'lzop data', magic: at0('\x89LZO\0\x0d\x0a\x1a\x0a'), advice: unpack('lzop -d') },
  { name: 'compressed data', magic: at0('\x1f\x9d'), advice: unpack('uncompress') },
  { name: 'rar data', magic: at0('Rar!\x1a\x07'), advice: unpack('unrar x') },
  { name: 'zip data', magic: at0('PK\x03\x04'), advice: unpack('unzip') },
  { name: '7-Zip data', magic: at0('7z\xbc\xaf\x27\x1c'), advice: unpack('7z x') },
  {
    name: 'a tar archive',
    magic: at(257, 'ustar'),
    advice: 'extract it first (tar -x), and give the image or the folder that was in it',
  },
  { name: 'a cpio archive', magic: at0('07070'), advice: unpack('cpio -i') },
  { name: 'an rpm package', magic: at0('\xed\xab\xee\xdb'), advice: unpack('rpm2cpio') },

  // Dumps of kernels and machines: crash's own sources name them (lkcd_*.c, diskdump.h, sadump.h, vmware_vmss.h).
  { name: 'a diskdump (kernel crash dump of RHEL 3 and 4)', magic: at0('DISKDUMP'), advice: CRASH },
  { name: 'an LKCD dump (Linux Kernel Crash Dump)', magic: at0('\xed\x23\x8f\x61\x73\x01\x19\xa8'), advice: CRASH },
  { name: 'an LKCD dump (Linux Kernel Crash Dump)', magic: at0('\xa8\x19\x01\x73\x61\x8f\x23\xed'), advice: CRASH },
  {
    name: 'a dump of an s390 machine',
    magic: at0('\xa8\x19\x01\x73\x61\x8f\x23\xfd'),
    advice: 'zgetdump -f elf makes a vmcore of it',
  },
  { name: 'an sadump (dump of a Fujitsu machine)', magic: at0('sadump\0\0'), advice: CRASH },
  { name: 'a LiME memory dump', magic: at0('EMiL'), advice: `${VOLATILITY}, and so does crash` },
  { name: 'an AVML memory dump', magic: at0('AVML'), advice: `avml-convert makes a LiME dump of it; ${VOLATILITY}` },
  { name: 'a saved domain of libvirt', magic: at0('LibvirtQemudSave'), advice: `virsh restore starts it; ${CRASH}` },
  {
    name: 'an unfinished saved domain of libvirt',
    magic: at0('LibvirtQemudPart'),
    advice: 'save or dump the domain again (virsh dump --memory-only)',
  },
  { name: 'a saved machine of QEMU (QEVM)', magic: at0('QEVM'), advice: CRASH },
  { name: 'a saved machine of VMware (VMSS)', magic: at0('\xd0\xbe\xd2\xbe'), advice: CRASH },
  { name: 'a saved machine of VMware (VMSS)', magic: at0('\xd1\xba\xd1\xba'), advice: CRASH },
  { name: 'a saved machine of VMware (VMSS)', magic: at0('\xd2\xbe\xd2\xbe'), advice: CRASH },
  { name: 'a saved machine of VMware (VMSN)', magic: at0('\xd3\xbe\xd3\xbe'), advice: CRASH },
  {
    name: 'a saved machine of VirtualBox',
    magic: at0('\x7fVirtualBox SavedState'),
    advice: 'start it, and dump its memory (VBoxManage debugvm NAME dumpvmcore)',
  },
  { name: 'a saved domain of Xen', magic: at0('LinuxGuestRecord'), advice: 'xl restore starts it' },
  { name: 'a saved domain of Xen', magic: at0('Xen saved domain'), advice: 'xl restore starts it' },
  { name: 'a core of a Xen domain', magic: at0('\xed\xeb\x0f\xf0'), advice: CRASH },
  { name: 'a Windows crash dump (64-bit)', magic: at0('PAGEDU64'), advice: WINDBG },
  { name: 'a Windows crash dump (32-bit)', magic: at0('PAGEDUMP'), advice: WINDBG },
  { name: 'a hibernation file of Windows', magic: at0('HIBR'), advice: VOLATILITY },
  { name: 'a hibernation file of Windows', magic: at0('hibr'), advice: VOLATILITY },
  { name: 'a hibernation file of Windows', magic: at0('WAKE'), advice: VOLATILITY },
  { name: 'a hibernation file of Windows', magic: at0('RSTR'), advice: VOLATILITY },
  { name: 'an HPAK memory dump', magic: at0('HPAK'), advice: VOLATILITY },
  { name: 'a core of macOS (Mach-O)', magic: at0('\xcf\xfa\xed\xfe'), advice: 'lldb reads it' },
  { name: 'a trace of ftrace (trace.dat)', magic: at0('\x17\x08\x44tracing'), advice: 'trace-cmd report reads it' },
  { name: 'a profile of perf', magic: at0('PERFILE2'), advice: 'perf report reads it' },
  {
    name: 'a minidump (Windows, Breakpad, Crashpad)',
    magic: at0('MDMP'),
    advice: 'minidump_stackwalk or WinDbg reads it',
  },
  {
    // The name in its header: SYSDUMP.…, FSPDUMP.…, LOGDUMP.….
    name: 'a saved platform dump (powerpc)',
    magic: [...at0('FILE'), ...at(0x1b, 'DUMP.')],
    advice: 'give the folder that it is in',
  },
  { name: 'a journal of systemd', magic: at0('LPKSHHRH'), advice: 'journalctl --file reads it' },
  {
    name: 'an ELF file, but no core',
    magic: at0('\x7fELF'),
    advice: 'give the vmcore or the crash-log image, not the kernel or program',
  },

  // Disks of virtual machines, and images to flash.
  { name: 'a qcow2 disk image', magic: at0('QFI\xfb'), advice: CONVERT },
  { name: 'a VMDK disk image', magic: at0('KDMV'), advice: CONVERT },
  { name: 'a VDI disk image', magic: at(64, '\x7f\x10\xda\xbe'), advice: CONVERT },
  { name: 'a VHDX disk image', magic: at0('vhdxfile'), advice: CONVERT },
  { name: 'a VHD disk image', magic: at0('conectix'), advice: CONVERT },
  { name: 'a QED disk image', magic: at0('QED\0'), advice: CONVERT },
  { name: 'a VMDK disk image', magic: at0('COWD'), advice: CONVERT },
  { name: 'a Parallels disk image', magic: at0('WithoutFreeSpace'), advice: CONVERT },
  { name: 'a Parallels disk image', magic: at0('WithouFreSpacExt'), advice: CONVERT },
  {
    name: 'an image of EnCase (EWF, E01)',
    magic: at0('EVF\x09\x0d\x0a\xff\0'),
    advice: 'make a plain image of it first (ewfexport -f raw)',
  },
  {
    name: 'an Android sparse image',
    magic: at0('\x3a\xff\x26\xed'),
    advice: 'make a plain image of it first (simg2img)',
  },
  { name: 'an Android boot image', magic: at0('ANDROID!'), advice: PARTITION },
  { name: 'an Android boot image', magic: at0('VNDRBOOT'), advice: PARTITION },
  { name: 'an Android image of hashes (vbmeta)', magic: at0('AVB0'), advice: PARTITION },
  { name: 'an Android image of device trees (dtbo)', magic: at0('\xd7\xb7\xab\x1e'), advice: PARTITION },
  { name: 'a U-Boot image', magic: at0('\x27\x05\x19\x56'), advice: PARTITION },
  {
    name: 'a device tree or FIT image',
    magic: at0('\xd0\x0d\xfe\xed'),
    advice: PARTITION,
  },
  {
    name: 'a UBI image',
    magic: at0('UBI#'),
    advice: 'give the volume of the crash log (ubireader_extract_images takes it out)',
  },

  // File systems.
  { name: 'a UBIFS file system', magic: at0('\x31\x18\x10\x06'), advice: FILE_SYSTEM },
  { name: 'a squashfs file system', magic: at0('hsqs'), advice: FILE_SYSTEM },
  { name: 'a squashfs file system (big-endian)', magic: at0('sqsh'), advice: FILE_SYSTEM },
  { name: 'a cramfs file system', magic: at0('\x45\x3d\xcd\x28'), advice: FILE_SYSTEM },
  { name: 'a cramfs file system (big-endian)', magic: at0('\x28\xcd\x3d\x45'), advice: FILE_SYSTEM },
  { name: 'a romfs file system', magic: at0('-rom1fs-'), advice: FILE_SYSTEM },
  { name: 'a JFFS2 file system', magic: at0('\x85\x19\x01\xe0'), advice: FILE_SYSTEM },
  { name: 'a JFFS2 file system', magic: at0('\x85\x19\x02\xe0'), advice: FILE_SYSTEM },
  { name: 'a JFFS2 file system', magic: at0('\x85\x19\x03\x20'), advice: FILE_SYSTEM },
  { name: 'a JFFS2 file system (big-endian)', magic: at0('\x19\x85\xe0\x01'), advice: FILE_SYSTEM },
  { name: 'a JFFS2 file system (big-endian)', magic: at0('\x19\x85\xe0\x02'), advice: FILE_SYSTEM },
  { name: 'a JFFS2 file system (big-endian)', magic: at0('\x19\x85\x20\x03'), advice: FILE_SYSTEM },
  { name: 'an XFS file system', magic: at0('XFSB'), advice: FILE_SYSTEM },
  { name: 'an ext2, ext3 or ext4 file system', magic: at(1080, '\x53\xef'), advice: FILE_SYSTEM },
  { name: 'an F2FS file system', magic: at(1024, '\x10\x20\xf5\xf2'), advice: FILE_SYSTEM },
  { name: 'an EROFS file system', magic: at(1024, '\xe2\xe1\xf5\xe0'), advice: FILE_SYSTEM },
  { name: 'a btrfs file system', magic: at(0x10040, '_BHRfS_M'), advice: FILE_SYSTEM },
  { name: 'a bcachefs file system', magic: at(4120, '\xc6\x85\x73\xf6\x4e\x1a\x45\xca'), advice: FILE_SYSTEM },
  { name: 'a ReiserFS file system', magic: at(0x10034, 'ReIsEr'), advice: FILE_SYSTEM },
  { name: 'an NTFS file system', magic: at(3, 'NTFS    '), advice: FILE_SYSTEM },
  { name: 'an exFAT file system', magic: at(3, 'EXFAT   '), advice: FILE_SYSTEM },
  { name: 'a FAT file system', magic: at(54, 'FAT1'), advice: FILE_SYSTEM },
  { name: 'a FAT file system', magic: at(82, 'FAT32   '), advice: FILE_SYSTEM },
  { name: 'an ISO 9660 file system', magic: at(0x8001, 'CD001'), advice: FILE_SYSTEM },
  { name: 'encrypted (LUKS)', magic: at0('LUKS\xba\xbe'), advice: 'open it first (cryptsetup open)' },
  {
    name: 'a disk of a RAID (md)',
    magic: at(4096, '\xfc\x4e\x2b\xa9'),
    advice: 'assemble it first (mdadm), and give the array',
  },
  { name: 'a physical volume of LVM', magic: at(512, 'LABELONE'), advice: 'give the logical volume of the crash log' },
  { name: 'swap space', magic: at(4086, 'SWAPSPACE2'), advice: PARTITION },
];

/** What a file is instead of an image of ours, and what helps; undefined where that is not known. */
export function otherFormat(storage: Storage): { name: string; advice: string } | undefined {
  const known = FORMATS.find(({ magic }) => magic.every(([offset, bytes]) => stands(storage, offset, bytes)));
  return known ?? (isWhollyText(storage) ? TEXT : undefined);
}

const TEXT = { name: 'a text', advice: 'pstorefuse explain tells what crashed in a log' };
/** Bytes of the beginning and of the end that tell a text. */
const TEXT_SAMPLE = 4096;
const NEWLINE = 0x0a;

function isWhollyText(storage: Storage): boolean {
  const ends = [0, Math.max(0, storage.size - TEXT_SAMPLE)].map((from) => readRange(storage, from, TEXT_SAMPLE));
  return ends[0]!.includes(NEWLINE) && ends.every((bytes) => bytes.every(isText));
}

/** The same as a sentence. */
export function otherFormatSentence(storage: Storage, path: string): string | undefined {
  const found = otherFormat(storage);
  if (!found) return undefined;
  const renamed = found.name === 'gzip data' && !path.endsWith('.gz') ? `name it ${path}.gz, or ` : '';
  return `${path} is ${found.name}: ${renamed}${found.advice}`;
}

function stands(storage: Storage, offset: number, bytes: string): boolean {
  const found = readRange(storage, offset, bytes.length);
  return found.length === bytes.length && found.every((byte, index) => byte === bytes.charCodeAt(index));
}
