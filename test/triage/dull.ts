// Functions that tell nothing, on all architectures; and those that do, whose names are like theirs.

import t from 'tap';
import { isDull, isEntry } from '../../lib/triage/dull.js';

/** Reporting, primitives, locks, lists, copies, allocators, services: one kind a line. */
const DULL = [
  'asm_exc_page_fault exc_page_fault handle_page_fault srso_alias_return_thunk srso_return_thunk srso_alias_safe_ret retbleed_return_thunk __x86_return_thunk _printk vprintk_emit vprintk_default',
  '__kasan_check_read __kasan_check_write kasan_check_range kasan_report __asan_load8 __asan_report_load8_noabort __asan_memcpy __hwasan_check_x0_67043363 __hwasan_tag_mismatch __kasan_check_byte kasan_tag_mismatch kasan_report_user_access',
  'arch_atomic_read atomic_read raw_atomic_read atomic_fetch_add_relaxed atomic_dec_and_test __refcount_add refcount_inc_not_zero refcount_dec_and_test refcount_warn_saturate kref_get kref_put',
  'dump_page __dump_page __might_resched __might_sleep mark_lock mark_usage krealloc_noprof __krealloc_noprof __kvmalloc_node_noprof kvmalloc_node kvzalloc __alloc_frozen_pages_noprof alloc_pages_mpol alloc_pages_mpol_noprof alloc_frozen_pages_noprof ___kmalloc_large_node __kmalloc_large_node_noprof __kmalloc_large_noprof new_slab alloc_slab_page alloc_pages_current alloc_page_interleave alloc_pages_vma folio_alloc __folio_alloc',
  '__kmalloc_cache_noprof kmem_cache_alloc_lru_noprof kmem_cache_alloc_bulk kmem_cache_free_bulk __kmem_cache_alloc_bulk slab_free_freelist_hook __slab_free ___cache_free kasan_quarantine_reduce kmalloc_order kmalloc_order_trace __kmalloc_track_caller kmemdup_noprof kmemdup_nul memdup_user_nul kstrdup_const kstrndup kfree_const kfree_sensitive kzfree vfree_atomic vunmap __vunmap remove_vm_area find_vm_area',
  '__list_add_valid_or_report __list_del_entry_valid __list_del_entry list_del_init list_add_tail hlist_del_init_rcu hlist_add_head_rcu __hlist_del',
  'native_queued_spin_lock_slowpath queued_spin_lock_slowpath queued_write_lock_slowpath queued_read_lock_slowpath __pv_queued_spin_lock_slowpath do_raw_spin_lock debug_spin_lock_before spin_lock_bh spin_unlock_irqrestore _raw_spin_lock_nested _raw_read_lock_bh rt_spin_lock rtlock_slowlock_locked rt_mutex_slowlock rt_write_lock rt_read_lock __rt_mutex_lock rt_mutex_adjust_prio_chain task_blocks_on_rt_mutex down_read_killable rwsem_read_trylock rwsem_down_read_slowpath rwsem_down_write_slowpath __down_read_common down_write_nested up_write __up_read mutex_spin_on_owner __mutex_lock_common mutex_lock_nested mutex_lock_killable ww_mutex_lock mutex_optimistic_spin mutex_remove_waiter osq_lock percpu_down_write percpu_rwsem_wait __percpu_down_read',
  '__ll_sc_atomic_add __lse_atomic_add __arch_copy_from_user __arch_copy_to_user __pi_memset __pi_memcpy_generic __memcpy __memset __memmove arm_copy_from_user __memzero __copy_to_user_std __arch_clear_user rep_movs_alternative rep_stos_alternative copy_user_enhanced_fast_string copy_user_generic_unrolled memcpy_erms memcpy_orig memset_erms memset_orig clear_user_erms clear_page_erms clear_page_rep __get_user_4 __get_user_nocheck_4 __put_user_nocheck_4 __put_user_8 csum_partial_copy_generic __asm_copy_to_user fallback_scalar_usercopy __copy_tofrom_user_base memcpy_power7 copypage_power7 __raw_copy_to_user raw_copy_from_user __bzero __strncpy_from_user strscpy strscpy_pad strim strstr skip_spaces strreplace memchr_inv memweight memscan kstrtoint kstrtoull _kstrtoull match_token',
  'queue_work_on __queue_work __queue_delayed_work insert_work mod_timer __mod_timer timer_delete_sync __timer_delete_sync try_to_del_timer_sync hrtimer_try_to_cancel hrtimer_cancel hrtimer_start_range_ns __hrtimer_start_range_ns hrtimer_active kvfree_call_rcu queue_delayed_work_on schedule_work flush_work __flush_work __cancel_work_sync cancel_delayed_work_sync __cancel_work_timer',
  '_dev_info _dev_err dev_warn __dev_printk dev_printk_emit netdev_warn netdev_err net_ratelimit ___ratelimit __ratelimit dump_stack_set_arch_desc',
  'kobject_uevent_env kobject_uevent add_uevent_var get_device_parent device_remove_file device_create_file device_create_groups_vargs device_create kobject_init_and_add kobject_add_internal kobject_cleanup kobject_release kset_unregister klist_put',
  'read_word_at_a_time dentry_string_cmp work_is_static_object timer_is_static_object rcuhead_is_static_object stub_timer debug_object_activate debug_object_assert_init debug_object_init debug_object_free __debug_object_init debug_timer_activate lookup_object_or_alloc',
  'perf_trace_lock perf_trace_lock_acquire trace_lock_acquire trace_event_raw_event_lock __traceiter_contention_begin trace_contention_begin lockdep_hardirqs_on lockdep_rcu_suspicious rcu_lockdep_current_cpu_online lock_is_held_type lock_acquire lock_release __lock_acquire lock_sync reacquire_held_locks register_lock_class lockdep_init_map_type print_circular_bug check_noncircular check_deadlock print_deadlock_bug check_prevs_add',
  'exc_general_protection asm_exc_general_protection exc_invalid_op asm_exc_invalid_op handle_bug do_trap do_error_trap exc_divide_error asm_exc_double_fault exc_stack_segment die_addr die __die_body __die_header oops_end oops_exit page_fault_oops kernelmode_fixup_or_oops no_context bad_area_nosemaphore do_user_addr_fault do_kern_addr_fault search_exception_tables fixup_exception',
  'el1h_64_sync el1h_64_sync_handler el1_abort el1_bti el1_da el1_dbg el1_undef el1_brk64 do_mem_abort do_translation_fault die_kernel_fault __do_kernel_fault do_bad_area do_undefinstr brk_handler bug_brk_handler ubsan_brk_handler kasan_brk_handler call_break_hook do_debug_exception do_tag_check_fault arm64_force_sig_fault do_serror arm64_serror_panic',
  'do_DataAbort do_PrefetchAbort arm_notify_die warn_slowpath_fmt warn_slowpath_null __warn warn_slowpath_fmt_taint __warn_printk __report_bug',
  'do_page_fault tlb_do_page_fault_0 handle_sys do_be do_ade do_bp do_tr do_trap_or_bp handle_bp_int handle_ri_int',
  'bad_page_fault program_check_exception program_check_common_virt interrupt_return data_access_common_virt ___do_page_fault __do_page_fault hash__do_page_fault instruction_access_common do_program_check exception_common _exception die_will_crash',
  'do_trap_break do_trap_insn_illegal do_trap_load_fault ret_from_exception handle_exception do_trap_error handle_break',
  'illegal_op do_dat_exception __do_pgm_check monitor_event_exception do_report_trap',
  'do_tlb_miss handle_tlb_load do_ale tlb_do_page_fault_1',
  'kfree_skb_reason kfree_skb',
  'should_fail_ex should_fail_usercopy should_fail_alloc_page fail_dump __should_failslab',
  'fortify_panic __fortify_panic usercopy_abort __check_object_size check_heap_object check_bogus_address copy_overflow __copy_overflow warn_bogus_irq_restore',
  'bug_handler report_cfi_failure handle_cfi_failure __cfi_slowpath __cfi_slowpath_diag __cfi_check __ubsan_handle_cfi_check_fail_abort __stack_chk_fail',
  'ftrace_caller ftrace_regs_caller ftrace_ops_list_func ftrace_bug test_and_clear_bit __set_bit find_next_zero_bit bitmap_parselist swap_words_64 percpu_ref_get_many page_to_pfn down_write_killable tty_write_lock',
  'core::panicking::panic_fmt core::panicking::panic_const::panic_const_sub_overflow core::option::unwrap_failed __rustc::rust_begin_unwind',
  'refcount_sub_and_test_checked refcount_inc_checked refcount_add_checked',
];

const ENTRIES =
  'entry_SYSCALL_64_after_hwframe do_syscall_64 x64_sys_call do_int80_emulation entry_INT80_compat ret_from_fork_asm ret_from_fork syscall_return_slowpath __do_fast_syscall_32 do_fast_syscall_32 entry_SYSENTER_compat_after_hwframe sysenter_past_esp syscall_call system_call_fastpath ret_from_kernel_thread ret_to_user __sys_trace_return el0_sync el0t_64_sync_handler do_el0_svc el0_svc_common invoke_syscall handle_syscall do_syscall syscall_exit_to_user_mode system_call_exception system_call_common system_call_vectored_common ret_from_syscall do_trap_ecall_u start_secondary';

const TELLING =
  'board_read vfs_write ext4_fill_super tcp_shutdown __call_rcu skb_release_data sched_fork do_exit filp_close rtnl_lock drm_ioctl waitid_board strange_board memory_board list_board listen_backlog_board locks_free_board warning_board diet_board panicky_board';

/** Functions of subsystems whose names begin like those of primitives and services. */
const ALIKE =
  'bitmap_ip_add bitmap_ipmac_test bitmap_port_gc list_set_uadd list_del_event list_lru_add strset_parse_request memcpy_extent_buffer clear_state_bit set_extent_bit find_inode_bit btrfs_read_locked_inode extent_write_locked_range __kvm_gpc_refresh __kvm_set_msr page_to_skb swap_writepage_bdev_sync swap_cluster_readahead mas_store_prealloc percpu_ref_kill_and_confirm timerqueue_add kvm_wait fence_add_callback ftrace_dump_one trace_array_put rcu_note_context_switch kernfs_link_sibling debugfs_remove cdev_get remove_proc_entry driver_unregister handle_sysrq kobject_set_name_vargs <binder::node::Node>::release';

t.test('functions that tell nothing', async (t) => {
  for (const name of DULL.join(' ').split(' ')) t.ok(isDull(name), name);
});

t.test('doors that all tasks come through', async (t) => {
  for (const name of ENTRIES.split(' ')) t.ok(isEntry(name) || isDull(name), name);
});

t.test('functions that tell something', async (t) => {
  for (const name of `${TELLING} ${ALIKE}`.split(' ')) t.notOk(isDull(name) || isEntry(name), name);
});
