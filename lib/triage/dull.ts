// Functions that never tell what went wrong: those that report, and the primitives that everybody calls.

/** A function that reports or handles a fault: it stands on the stack because of the crash, not before it. */
const REPORTING = [
  'dump_stack\\w*|__dump_stack|show_stack|show_trace\\w*|show_regs\\w*|__show_regs|dump_backtrace\\w*|unwind_backtrace',
  'walk_stackframe|arch_stack_walk|arch_dump_stack|save_stack\\w*|stack_trace_save\\w*|__save_stack_trace|stack_depot_\\w+',
  'panic|vpanic|__panic|panic_\\w+|print_taint\\w*|warn_bogus_\\w+|stack_trace_\\w+|nmi_panic\\w*|check_panic_on_warn|_?print_\\w*(?:report|bug|usage|deadlock|address|circular|trailer)\\w*|end_report|kasan_end_report',
  '__warn\\w*|warn_slowpath\\w*|warn_alloc\\w*|report_bug|__report_bug|fixup_bug|handle_bug|bug_handler|__bug_handler|call_break_hook|brk_handler\\w*',
  'do_el1_brk64|do_debug_exception|el\\d+t?h?_(?:\\d+_)?(?:sync|irq|fiq|dbg|da|ia|bti|gcs|mops|fpac|error|brk64|abort|undef|sp_pc|pc|inv)\\w*',
  'do_error_trap|do_invalid_op|invalid_op|do_trap\\w*|(?:asm_)?(?:exc|sysvec)_\\w+|error_entry|error_code|common_exception\\w*|handle_exception',
  'do_(?:divide_error|general_protection|double_fault|bounds|int3|debug|nmi|overflow)|divide_error|general_protection|double_fault|page_fault',
  'do_general_protection|do_kern_addr_fault|bad_area\\w*|__bad_area\\w*|no_context|page_fault_oops|kernelmode_fixup_or_oops|_*do_page_fault|do_user_addr_fault|async_page_fault|trace_page_fault|do_async_page_fault',
  'abort|die|die_\\w+|__die\\w*|oops_\\w+|crash_kexec|__crash_kexec|do_mem_abort|do_translation_fault|do_kernel_fault|__do_kernel_fault|die_kernel_fault|do_bad_area|do_tag_check_fault|do_alignment_fault|do_sea|do_sp_pc_abort|do_undefinstr|do_DataAbort|do_PrefetchAbort|__do_user_fault',
  'arm_notify_die|arm64_(?:notify_die|force_sig_fault|serror_panic|is_fatal_\\w+)|do_serror|baddataabort|search_exception_tables|fixup_exception|handle_page_fault|\\w*brk_handler',
  'BUG|__bug|rust_helper_BUG|bust_spinlocks|add_taint|printk|_printk|vprintk\\w*|__warn_printk|_*dev_v?printk\\w*|_*netdev_printk|_?(?:dev|netdev)_(?:info|notice|warn|err|alert|crit|emerg)|(?:net|_+)_?ratelimit|__pr_\\w+|kmsg_dump',
  '_*(?:k?asan|k?msan|kcsan|ubsan|k?tsan|hwasan|kfence)_\\w+|__?_?sanitizer_\\w+|__msan_\\w+|kmsan_\\w+|handle_overflow|handle_object_size_mismatch|ubsan_\\w+|val_to_string',
  'check_memory_region\\w*|memory_is_\\w+|bytes_is_\\w+|report_invalid_\\w+|object_err|__?slab_err|depot_\\w+|slab_bug|slab_fix|print_object|slab_pad_check|check_slab|on_freelist',
  'trace_(?!(?:array|parser|k?u?probe|pid|find|iter|options?|default|module|eval|remove|insert|create)_)\\w+|perf_trace\\w*|__traceiter_\\w+|rcu_lockdep_\\w+|lockdep_\\w+|ftrace_(?:bug|\\w*caller\\w*|call|regs_\\w+|stub\\w*|ops_\\w+_func|graph_func\\w*|trace_function|trampoline\\w*)|kprobe_\\w+|bpf_trace_\\w+|__bpf_trace_\\w+',
  'check_preemption_disabled|debug_smp_processor_id|__this_cpu_preempt_check|___?might_sleep\\w*|__might_\\w+|might_\\w+|__schedule_bug|__cant_\\w+|schedule_debug',
  'program_check_\\w+|handle_program_check|data_access_\\w+|interrupt_return\\w*|interrupt_exit\\w*|do_slb_fault|bad_page_fault|hash__do_page_fault|instruction_access_\\w+|alignment_common|machine_check_\\w+|do_trap_\\w+|handle_\\w+_int|ret_from_exception|(?:do_)?tlb_?\\w*(?:fault|miss)\\w*|handle_tlb_\\w+|__?(?:do_)?pgm_check\\w*|do_dat_exception|illegal_op|monitor_event_exception|do_report_trap|do_(?:ade|ale|be|bp|bce|ri|tr|cpu|ov)|do_program_check|(?:common|machine_check)_exception|_exception|exception_common|handle_break|handle_sys(?:32|64|n32|compat|call)?|die_if_\\w+',
  'debug_check_no_\\w+|debug_print_object|debug_object_\\w+|__debug_\\w+|debug_\\w*(?:lock|unlock|free)\\w*|debug_(?:timer|rcu_head|work)_\\w+|spin_bug|spin_dump|rwlock_bug|lookup_object_or_alloc|\\w+_is_static_object|stub_timer|rcu_(?:head|check)_\\w+',
  'should_fail\\w*|__should_fail\\w*|should_failslab|fault_create_\\w+|fail_dump',
  'usercopy_abort|check_bogus_address|_*copy_overflow|(?:report|handle)_cfi_failure|_*dump_page|report_usercopy|__check_object_size|check_object_size|__check_heap_object|check_heap_object|fortify_panic|__fortify_panic|__fortify_report|__stack_chk_fail|__list_\\w+_or_report',
  'usercopy_warn|bad_page\\w*|skb_panic|skb_over_panic|skb_under_panic|skb_put|skb_push|__skb_pull|assertfail|assfail|__?reiserfs_(?:panic|error)|__ext4_(?:error|abort|warning)\\w*|btrfs_assertfail|xfs_\\w*(?:assfail|corruption_error)|_?_?snd_BUG|\\w+_return_thunk|srso_\\w+|retbleed_\\w+|x86_(?:indirect|return)_thunk_\\w+|__x86_indirect_\\w+|__x86_return_thunk|__cfi_\\w+|__pfx_\\w+|kcov_\\w+|__sanitizer\\w*',
  '(?:\\w+::)?_?rust_begin_unwind|rust_panic\\w*|core::(?:panicking(?:::\\w+)+|(?:result|option)::\\w+_failed|slice::index::\\w+_fail|str::slice_error_fail\\w*|cell::panic_\\w+)',
];

/** Primitives: a fault in one is its caller's fault. */
const PRIMITIVES = [
  '_*(?!strset_|\\w+_extent_buffer$)(?:mem|str)(?:cpy|set|move|cmp|chr|scan|dup|len|str|cat|rchr|spn|pbrk|sep|ncpy|ncmp|nlen|lcpy|scpy|lcat|casecmp|ncasecmp|nstr|chr_inv|zero_explicit)\\w*|__pi_\\w+|bcmp|mmioset|mmiocpy|_*(?:bzero|memzero)|memweight|strim|strreplace|skip_spaces|_*kstrto\\w+|match_(?:token|int|u64\\w*)|read_word_at_a_time|dentry_string_cmp|rep_(?:movs|stos)_alternative|fallback_scalar_usercopy\\w*|copypage_\\w+|kstrn?dup\\w*|sized_strscpy|kmemdup\\w*|kstrdup\\w*|memdup_\\w+|vmemdup_\\w+|strndup_user|strncpy_from_user|do_strncpy_from_user|str(?:n?len)_user|\\w+_copy_(?:to|from)_user\\w*',
  '_*(?:raw_|arch_|inline_)*copy_(?:from|to|in|mc)_?\\w*user\\w*|copy_(?:from|to)_iter\\w*|_copy_(?:from|to)_iter\\w*|copy_page_(?:from|to)_iter\\w*|copy_from_kernel_nofault\\w*|copyin|copyout|copy_user_\\w+|csum_partial\\w*|__(?:get|put)_user(?!_pages)\\w*|_*(?:arch_)?clear_user|clear_user\\w*|_copy_(?:from|to)_\\w+|copy_page|clear_page\\w*|simple_copy_to_iter|copy_to_user\\w*|copy_user\\w*|move_addr_to_\\w+|check_copy_size|check_zeroed_user|instrument_\\w+',
  '_*k[mzvc]{1,2}alloc\\w*|_*krealloc\\w*|_*kmem_cache_(?:alloc|free|zalloc|destroy)\\w*|_*kfree\\w*|_*kvfree\\w*|k[vz]+free\\w*|vfree\\w*|__vfree|__vunmap|_*vmalloc\\w*|_*vzalloc\\w*|vunmap|remove_vm_area|find_vm_area|__vmalloc_\\w+|_*slab_(?:alloc|free|post_alloc|pre_alloc)\\w*|__slab_alloc\\w*|___slab_alloc\\w*|slab_\\w*(?:hook|object)\\w*|allocate_slab|new_slab\\w*|kmalloc_\\w+|__do_kmalloc\\w*|_*alloc_(?:frozen_|contig_)?pages?\\w*|__?_?kmalloc\\w*|post_alloc_hook|prep_new_page|rmqueue\\w*|__rmqueue\\w*|page_frag_\\w+|_*page_pool_(?:alloc|put|return|release|recycle)\\w*|put_page|__put_page|put_folio|folio_put\\w*|__folio_put\\w*|release_pages|__get_free_pages|get_page_from_freelist|__free_(?:pages?|slab)\\w*|free_pages?\\w*|free_large_kmalloc|free_unref_\\w+|devm_k\\w+|devm_add_action\\w*|devres_\\w+|pcpu_(?:alloc|mem_zalloc|create_chunk)\\w*|__?_?alloc_percpu\\w*|kmemleak_\\w+|do_slab_free|___cache_free|__cache_free|cache_alloc\\w*|cache_free\\w*|free_block|cache_grow\\w*|new_slab|kvcalloc\\w*|__kv(?:m|z|c|re)?alloc\\w*|__kvfree\\w*|mempool_\\w+|dma_pool_\\w+|slob_\\w+|(?:vma_|_*)(?:alloc_folio|folio_alloc)\\w*|alloc_slab_page\\w*|kasan_slab\\w*',
  '_*lock_acquire\\w*|_*lock_release\\w*|_*lock_is_held\\w*|lock_(?:downgrade|unpin|pin|repin|set_\\w+|acquired|contended)\\w*|validate_chain|check_(?:prev\\w*|chain\\w*|deadlock|noncircular|usage\\w*|irq_usage|wait_context|flags|redundant|lock|path|no_locks\\w*)|mark_(?:lock|held|usage|irqflags)\\w*|valid_state|register_lock_class|look_up_lock_class|assign_lock_key|__lockdep_\\w+|add_chain\\w*|add_lock_\\w+|save_trace|graph_lock|find_held_lock|lock_sync|reacquire_held_locks|__bfs',
  '_*(?:raw_|do_raw_|queued_|native_queued_|arch_|pv_|__pv_|virt_|ticket_)*(?:spin|read|write)_(?:lock|unlock|trylock|is_locked)\\w*|queued_(?:read|write)_lock_\\w+|_*mutex_\\w*(?:lock|unlock|trylock|spin|handoff)\\w*|\\w+_(?:read|write)_(?:un)?lock(?!ed)\\w*|_*ww_mutex_\\w+|_*rt_mutex_\\w+|__rt_\\w+|rt_(?:spin|read|write)_\\w*lock\\w*|rtlock_\\w+|task_blocks_on_\\w+|mutex_remove_waiter|rwlock_\\w+|_*(?:down|up)(?:_(?:read|write|killable|interruptible|trylock|timeout|common)\\w*)?|_*rwsem_\\w+|percpu_(?:down|up|rwsem)\\w*|_*percpu_(?:down|up)_\\w+|osq_\\w+|call_rwsem_\\w+|seqcount_\\w+|read_seq\\w+|seqlock_\\w+|write_seq\\w+|do_write_seq\\w+|local_bh_\\w+|__local_bh_\\w+|preempt_(?:count|schedule)\\w*|local_lock\\w*|bit_spin_\\w+|_*lock_sock\\w*|release_sock|_*rcu_read_(?:lock|unlock)\\w*|_local_bh\\w*|kcsan_\\w+|hrtimer_\\w*lock\\w*',
  '_*list_(?!set_|lru_|\\w+_event$)\\w*(?:add|del|move|splice|cut|empty|replace)\\w*|list_(?:nulls|bl)\\w*|_*hlist_\\w+|list_(?:sort|first\\w*|next\\w*|is_\\w+|entry\\w*|rotate\\w*|swap|bulk\\w*|slab_objects)|_*rb_(?:erase|insert|next|prev|link|first|add|rotate)\\w*|rb_\\w*color\\w*|interval_tree_\\w+|nla_(?:put|get|reserve|append)\\w*|_*nla_(?:put|reserve)\\w*|_*crypto_destroy_tfm|usermodehelper_\\w+|llist_\\w+|plist_\\w+|_*refcount_\\w+|_*atomic(?:64|_long)?_\\w+|(?:raw_|arch_|__ll_sc_|__lse_)atomic\\w*|kref_\\w+|kobject_(?:get|put)|kobj_\\w*|ref_tracker_\\w+|xa_\\w+|_*xas?_\\w+|radix_tree_lookup\\w*|idr_\\w+|ida_\\w+|_*(?:test|set|clear|change|assign)_(?:and_(?:set|clear|change)_)?bit\\w*|find_(?:first|next|last|nth)_\\w*bit\\w*|_find_\\w*bit\\w*|bitmap_(?!(?:ip|ipmac|port)_)\\w+|constant_test_bit|variable_test_bit|cmpxchg\\w*|arch_\\w*cmpxchg\\w*|_*(?:read|write)_once\\w*|read_pnp\\w*|compound_head|virt_to_\\w+|page_to_(?:nid|pfn|virt|phys|zone|section)|phys_addr|__phys_addr\\w*|kthread_(?:should|data)\\w*|__sg_\\w+|sg_next|sg_(?:init|alloc|free|mark|set|copy|miter)\\w*|drop_nlink|inc_nlink|set_nlink|clear_nlink|get_current|local_clock|native_(?:queued|save|restore|irq|halt|safe_halt|read|write_cr|write_msr)\\w*|arch_local_\\w+|arch_static_\\w+|fast_dput|dput|dget\\w*|lockref_\\w+|iov_iter_\\w+|ref_get|percpu_ref_(?:get|put|tryget)\\w*',
];

/** Services that drivers and file systems ask for: the one that asks is to blame. */
const SERVICES = [
  'kobject_(?!set_name)\\w+|kobj_\\w+|kset_\\w+|device_(?:add|del|register|unregister|initialize|move|rename|create\\w*|destroy|release|for_each_child\\w*|find_child\\w*_ref|remove_\\w+|links?_\\w+|pm_\\w+|attach|bind_driver|driver_attach)|__device_(?:attach|release)\\w*|dpm_\\w+|devres?m?_\\w+|driver_(?:attach|add|remove|create)\\w*|bus_(?:add|remove|for_each|probe|rescan)_\\w+|i2c_(?:add|del|register|unregister)\\w*|__?_?i2c_(?:add|del)\\w*|__unregister_client|__process_removed\\w*|platform_device_\\w+|tty_(?:un)?register_\\w+|misc_(?:de)?register|usb_(?:kill|poison|free|unlink|anchor|unanchor|submit)_\\w+|usb_hcd_(?:unlink|giveback|submit)_urb|dummy_urb_\\w+|usb_(?:submit|start_wait)_urb|usb_(?:bulk|interrupt|control)_msg\\w*|usb_(?:get|put)_(?:dev|intf|urb)|_*pm_runtime_\\w+|rpm_\\w+|regmap_\\w+|clk_(?:get|put|prepare|enable|disable)\\w*|gpiod_\\w+|led_(?:trigger|classdev)_\\w+|get_device\\w*|put_device|klist_\\w+|add_uevent_var|class_\\w+|sysfs_\\w+|internal_create_group\\w*|hwrng_(?:un)?register|devm_hwrng\\w*|input_(?:un)?register_handle\\w*|proc_(?:create|register|mkdir)\\w*',
  'kthread_(?:stop|park|unpark|create\\w*|bind|worker_fn|flush\\w*|queue\\w*)|__?kthread_create\\w*|kfree_rcu\\w*|kvfree_call_rcu|rcu_barrier\\w*|synchronize_(?:net|srcu)\\w*|_*flush_(?:work|workqueue|delayed_work)\\w*|start_flush_work|_*cancel_(?:work|delayed_work)\\w*|_*queue_(?:work|delayed_work)\\w*|mod_delayed_work\\w*|schedule_(?:delayed_)?work\\w*|drain_workqueue|destroy_workqueue|insert_work|try_to_grab_pending',
  '_*mod_timer\\w*|add_timer\\w*|_*(?:try_to_)?(?:del|delete|shutdown)_timer\\w*|_*timer_(?:delete|shutdown|reduce)\\w*|lock_timer_base|detach_\\w*timer\\w*|_*hrtimer_(?:start|cancel|try|init|setup|forward|active)\\w*|enqueue_hrtimer|init_timer\\w*|do_init_timer|complete|complete_all|finish_wait|wait_for_common\\w*|__?wait_for_common|do_wait_for_common|wait_for_completion\\w*|add_wait_queue\\w*|timer_is_static\\w*|swake_\\w+|__?wake_up\\w*|try_to_wake_up|wake_up_(?:process|q|state)|ttwu_\\w+|_*task_rq_lock|__add_wait_queue|prepare_to_wait\\w*|autoremove_wake\\w*',
  'unregister_netdevice_\\w+|rollback_registered\\w*|unregister_netdev|dev_(?:close|set_\\w+)|call_netdevice_notifiers\\w*|notifier_call_chain|raw_notifier_\\w+|atomic_notifier_\\w+|blocking_notifier_\\w+|iput|ihold|igrab|fput|fget\\w*|__fget\\w*|mark_buffer_\\w+|_*brelse|_*bforget|_*getblk\\w*|bdev_getblk|_*bread\\w*|__?lock_buffer|unlock_buffer|submit_bh\\w*|_*folio_(?:un)?lock\\w*|folio_(?:end|start|clear|mark|wait|set|test)_\\w+|_*(?:un)?lock_page\\w*|_*set_page_dirty\\w*|filemap_dirty_folio|end_page_\\w+|page_(?:mapping|mapped|ref)\\w*|folio_mapping|__xa_\\w+|find_(?:lock|get)_entries|find_get_page\\w*|pagevec_\\w+|truncate_inode_pages\\w*|invalidate_\\w*mapping\\w*|filemap_(?:get|add|alloc)_folio\\w*|__filemap_get_folio\\w*',
  'v?s[nc]?printf|vs[nc]+printf|string|string_nocheck|number|pointer|hex_string|kvasprintf\\w*|kasprintf|seq_printf|seq_vprintf|vsscanf|sscanf|_*(?:raw_)?(?:read|write)s?[bwlq](?:_relaxed|_be)?|_?logic_(?:in|out)[bwl]\\w*|__raw_\\w+|(?:in|out)s?[bwl]|iowrite\\w*|ioread\\w*|get_random_\\w+|prandom_\\w+|_*crc\\w+|_*jhash\\w*|_*siphash\\w*|hash_\\d+|sort|sort_r|bsearch|swap_(?:bytes|words(?:_\\d+)?|ex)|_*hweight\\w*|div_u64\\w*|__(?:u|s)?divdi3|dec_and_lock',
];

/** Entry points and what carries every task: they only tell that something was called. */
const ENTRIES = [
  'entry_\\w+|ret_from_\\w+|ret_fast_syscall|syscall_\\w+|system_call\\w*|do_syscall_\\w+|x64_sys_call|ia32_sys_call|do_fast_syscall_\\w+|__do_fast_syscall_\\w+|do_SYSENTER_\\w+|do_int80_\\w+|do_el0_svc\\w*|el0\\w+|invoke_syscall\\w*|work_pending|tracesys\\w*|__sys_trace\\w*|sys_syscall|return_to_handler|secondary_startup\\w*|__(?:dabt|pabt|und)_(?:svc|usr)|do_syscall|sysenter_past_esp|ret_to_\\w+|start_secondary|kthread|worker_thread',
];

/**
 * Compiled when the first text is explained: it takes milliseconds, and a plain listing explains nothing. The time grows
 * faster than the pattern: one of all lists takes twice as long as one of each.
 */
function anyOf(parts: readonly string[]): { test(name: string): boolean } {
  let compiled: RegExp | undefined;
  return {
    test: (name) => {
      compiled ??= new RegExp(`^(?:${parts.join('|')})$`);
      return compiled.test(name);
    },
  };
}

const REPORTS = anyOf(REPORTING);
const PRIMITIVE = anyOf(PRIMITIVES);
const SERVICE = anyOf(SERVICES);
const ENTRY = anyOf(ENTRIES);

/** Whether a function never tells what went wrong. */
export function isDull(name: string): boolean {
  return isReporting(name) || PRIMITIVE.test(name) || SERVICE.test(name);
}

/** Whether a function stands on a stack only because of the report. */
export function isReporting(name: string): boolean {
  return REPORTS.test(name);
}

/** Whether a function is the kernel's door, which all tasks come through. */
export function isEntry(name: string): boolean {
  return ENTRY.test(name);
}
