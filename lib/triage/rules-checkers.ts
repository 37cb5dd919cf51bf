// Openings of the checkers of memory and behaviour: sanitizers, leaks, usage of objects.

import { stableName } from './frame.js';
import { either, named, type Rule, traced } from './rule.js';

/** A function as `%pS` prints it, or as decode_stacktrace.sh writes it, with file and line. */
const NAME = String.raw`(?:<[\w:<> ,&*']{1,200}>::)?[\w.$:]{1,256}`;
const FUNCTION = String.raw`(?<f>${NAME})(?:\+0x| \()`;

/** What a driver of USB asks for a transfer: the driver is to blame. */
const TRANSFERS = String.raw`usb_(?:submit_urb|start_wait_urb|bulk_msg|interrupt_msg|control_msg\w*)`;

/** What allocates on behalf of a caller: a leak is the caller's. */
const ALLOCATORS =
  /^(?:create_object|radix_tree_\w+|_*(?:netdev_|napi_|dev_|nlmsg_|pskb_|skb_)?alloc_skb\w*|__netdev_alloc_\w+|sk_prot_alloc|sk_alloc|sk_clone\w*|sock_(?:w|k|r)?malloc\w*|_*alloc_netdev\w*|alloc_netdev_mqs|alloc_etherdev\w*|device_\w*create\w*groups\w*|htab_map_alloc|\w*map_alloc\w*|bpf_map_\w*alloc|\w*_alloc_inode|alloc_inode\w*|_*d_alloc\w*|alloc_file\w*|alloc_empty_file|seq_(?:open|create|buf)\w*|kstrto\w+|_*get_empty_filp|dev_set_name|_*usb_alloc\w+|crypto_(?:alloc|create)_\w+|_*ksize|kzfree|percpu_\w*init|pcpu_\w+|_*blk_mq_alloc\w*|bio_alloc\w*|allocate_\w+|_*vm_area_(?:alloc|dup)|mm_alloc|seq_open\w*)$/;

/** What copies to user space on behalf of a caller. */
const COPYING = new RegExp(
  String.raw`^(?:instrument_\w+|copy_\w*(?:user|iter)\w*|_*copy_to_\w+|put_user\w*|simple_read_from_buffer|nla_put\w*|skb_copy_datagram_iter|_*put_cmsg\w*|${TRANSFERS})$`,
);

export const CHECKERS: readonly Rule[] = [
  {
    opening: new RegExp(`BUG: KASAN: (?:double-free or invalid-free|invalid-free|double-free)\\b(?: in ${FUNCTION})?`),
    forms: [{ kind: 'kasan', title: 'KASAN: invalid-free in {f}', place: named }],
  },
  {
    // Before Linux 4.5: `KASan: use after free`.
    opening: new RegExp(
      `BUG: KAS(?:AN|an): (?<what>[a-z][a-z -]*?)(?: in ${FUNCTION}[\\da-fx/]*(?: \\[[\\w-]+\\])?(?<rest>.*)| on address)`,
    ),
    forms: [
      {
        kind: 'kasan',
        title: 'KASAN: {what} {access} in {f}',
        needs: [/^(?<access>Read|Write) (?:of size|at addr)/, / in (?<raw>[\w.$]+)(?:\+0x| \()/],
        within: 60,
        place: named,
      },
      { kind: 'kasan', title: 'KASAN: {what} {access}', needs: [/^(?<access>Read|Write) of size/], within: 60 },
      {
        kind: 'kasan',
        title: 'KASAN: {what} in {raw}{rest}',
        needs: [/ in (?<raw>[\w.$]+)(?:\+0x| \()/],
        within: 1,
        place: (_, { raw }) => stableName(raw!),
      },
      { kind: 'kasan', title: 'KASAN: {what}' },
    ],
  },
  {
    opening: new RegExp(`BUG: KFENCE: (?<what>[a-z][a-z -]*) in ${FUNCTION}`),
    forms: [{ kind: 'kfence', title: 'KFENCE: {what} in {f}', place: named }],
  },
  {
    opening: new RegExp(`BUG: KMSAN: (?<what>[a-z][a-z-]*)(?: in ${FUNCTION})?`),
    forms: [{ kind: 'kmsan', title: 'KMSAN: {what} in {f}', place: either(traced, named), dull: COPYING }],
  },
  {
    // `%ps`: without offsets; some logs have them all the same.
    opening: new RegExp(
      `BUG: KCSAN: (?<what>[a-z][a-z: -]*?) in (?<first>${NAME})(?:\\+0x\\S+)? / (?<second>${NAME})(?:\\+0x|\\s|$)`,
    ),
    forms: [
      { kind: 'kcsan', title: 'KCSAN: {what} in {first} / {second}', place: (_, { first }) => stableName(first!) },
    ],
  },
  {
    opening: new RegExp(`BUG: KCSAN: (?<what>[a-z][a-z: -]*?) in ${FUNCTION}`),
    forms: [{ kind: 'kcsan', title: 'KCSAN: {what} in {f}', place: named }],
  },
  {
    opening: /UBSAN: Undefined behaviour in /i,
    forms: [{ kind: 'ubsan', title: 'UBSAN: undefined-behaviour in {f}', place: traced }],
  },
  {
    opening: /UBSAN: (?<what>[a-z][a-z-]*) in /,
    forms: [{ kind: 'ubsan', title: 'UBSAN: {what} in {f}', place: traced }],
  },
  {
    opening: /BUG: memory leak/,
    forms: [{ kind: 'leak', title: 'memory leak in {f}', place: traced, dull: ALLOCATORS }],
  },
  {
    partOf: ['kasan', 'bug'],
    opening: /INFO: (?<what>Freed|Allocated) in (?<raw>[\w.$]+)\S* (?<rest>age=.*)/,
    forms: [{ kind: 'kasan', title: 'INFO: {what} in {raw} {rest}' }],
  },
  {
    partOf: ['kasan', 'bug'],
    // A cache is named by what it holds, and may name a group of tasks: `dentry(123:name)`.
    opening: /BUG [^\s(]{1,64}(?:\([^)]{1,64}\))? \([^)]{1,64}\): (?!kasan: )(?<text>.{1,120})/,
    forms: [{ kind: 'bug', title: 'BUG: {text}' }],
  },
  {
    opening: /BUG: Bad page state in/,
    forms: [
      {
        kind: 'bug',
        title: 'BUG: Bad page state in {f}',
        place: traced,
        dull: /^(?:bad_page\w*|free_page_\w+|free_unref\w*|free_pages?\w*|check_\w+|prep_\w+|__put_\w+|put_page\w*|free_pcp\w*|free_hot_cold_\w+|free_pcppages_\w+|free_compound_page|put_compound_page|free_frozen_\w+|__free_\w+|free_tail_\w+|folio_put\w*|free_pages_\w+|rmqueue\w*|__?unfreeze_partials|put_cpu_partial|discard_slab|qlist_free_all|get_page\w*|bpf_prog_test_run\w*)$/,
      },
    ],
  },
  {
    opening: /BUG: Bad (?<what>page map|rss-counter state|page cache|swap file entry)/,
    isLine: true,
    forms: [{ kind: 'bug', title: 'BUG: Bad {what}' }],
  },
  {
    opening: /BUG: Dentry \S+\s+still in use \(\d+\) \[(?<what>unmount) of/,
    forms: [{ kind: 'bug', title: 'BUG: Dentry still in use in {f}', place: (_, { what }) => what }],
  },
  {
    opening: /BUG: non-zero (?<what>\w+) on freeing mm/,
    isLine: true,
    forms: [{ kind: 'bug', title: 'BUG: non-zero {what} on freeing mm' }],
  },
  {
    opening: /VFS: Busy inodes after unmount/,
    isLine: true,
    forms: [{ kind: 'bug', title: 'VFS: Busy inodes after unmount (use-after-free)' }],
  },
  {
    opening: /unregister_netdevice: waiting for (?<device>[a-zA-Z]{1,16})\S* to become free/,
    isLine: true,
    forms: [{ kind: 'bug', title: 'unregister_netdevice: waiting for DEV to become free' }],
  },
  {
    opening: /trusty: panic\b.{0,80}/,
    forms: [
      {
        kind: 'panic',
        title: 'trusty: ASSERT FAILED: {text}',
        needs: [/ASSERT FAILED at \([^)]{1,200}\): (?<text>\S.{0,120})/],
      },
      { kind: 'panic', title: 'trusty: ASSERT FAILED:', needs: [/ASSERT FAILED/] },
      { kind: 'panic', title: 'trusty: panic' },
    ],
  },
];
