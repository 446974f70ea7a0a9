/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * syscalls.tbl - every x86-64 system call, once
 *
 *   SYS(number, name, mode, keeps, argument...)
 *
 * The includer decides what a row means. The agent, the replayer, the trace
 * printer and the tests all read these rows.
 *
 * mode	EMULATE    made while recording; replay takes the result and the
 *		   outputs from the log
 *	PERFORM    changes the address space: made in replay too, at the recorded place
 *	CODE       as EMULATE, but no row can express it: agent/ has a function for its family
 *	REDO       as PERFORM, by such a function
 *	AGENT      not made: the agent keeps what it is about, and answers itself
 *	REFUSE     answered with ENOSYS, as by a kernel that lacks it, and reported
 *	NONE       no such call: the kernel's own answer (ENOSYS)
 *
 * keeps	KEEP     can't block for long, touches no file system or device: the
 *		   caller keeps the baton
 *	YIELD    gives the baton up while the kernel works
 *
 * Arguments say what the kernel reads and writes, and how to print it:
 *
 *	INT HEX FD MODE SIG ...    values; the name is the printer's hint
 *	ADDR       an address that isn't read or written as data
 *	STR        reads a string
 *	IN(n)      reads n bytes
 *	INBUF(k)   reads as many bytes as argument k says
 *	OUT(n)     writes n bytes, if the call succeeds
 *	ALWAYS(n)  reads and writes n bytes, whatever the call returns
 *	OUTRET(k)  writes as many bytes as it returns, at most argument k
 *	OUTMUL(k, n)  writes n bytes per unit of the result, at most argument k units
 *	OUTARG(k, n)  reads and writes n bytes per unit of argument k; nothing if that is EINVAL
 *	OUTPAGES(k)   writes one byte per page of the length in argument k
 *	SOCKADDR(k)   writes at most *(int *)argument k, as it was before the call
 *	FDSET(k)   reads and writes a set of as many bits as argument k says
 *	IOVIN(k) IOVOUT(k)  an iovec of argument k elements; written by the result
 *	MSG        reads a struct msghdr and what its iovec points at
 *	SIGSET(k)  reads a signal mask of argument k bytes, less what is the agent's
 *
 * The comments between the rows say which kernel was the first to have them; all that is
 * here is told to people by man/blackbox-syscalls.7, which man/syscalls.awk makes of it.
 */

/* since Linux 2.6.0 */
SYS(0, read, EMULATE, YIELD, FD, OUTRET(2), UINT)
SYS(1, write, EMULATE, YIELD, FD, INBUF(2), UINT)
SYS(2, open, CODE, YIELD, STR, OFLAGS, MODE)
SYS(3, close, EMULATE, YIELD, FD)
SYS(4, stat, EMULATE, YIELD, STR, OUT(144))
SYS(5, fstat, EMULATE, YIELD, FD, OUT(144))
SYS(6, lstat, EMULATE, YIELD, STR, OUT(144))
SYS(7, poll, EMULATE, YIELD, OUTARG(1, 8), UINT, INT)
SYS(8, lseek, EMULATE, YIELD, FD, INT, WHENCE)
SYS(9, mmap, REDO, KEEP, ADDR, UINT, PROT, MAPFLAGS, FD, HEX)
SYS(10, mprotect, PERFORM, KEEP, ADDR, UINT, PROT)
SYS(11, munmap, PERFORM, KEEP, ADDR, UINT)
SYS(12, brk, REDO, KEEP, ADDR)
SYS(13, rt_sigaction, AGENT, KEEP, SIG, ADDR, ADDR, UINT)
SYS(14, rt_sigprocmask, AGENT, KEEP, SIGHOW, ADDR, ADDR, UINT)
SYS(15, rt_sigreturn, AGENT, KEEP)
SYS(16, ioctl, CODE, YIELD, FD, HEX, ADDR)
SYS(17, pread64, EMULATE, YIELD, FD, OUTRET(2), UINT, INT)
SYS(18, pwrite64, EMULATE, YIELD, FD, INBUF(2), UINT, INT)
SYS(19, readv, EMULATE, YIELD, FD, IOVOUT(2), UINT)
SYS(20, writev, EMULATE, YIELD, FD, IOVIN(2), UINT)
SYS(21, access, EMULATE, YIELD, STR, MODE)
SYS(22, pipe, EMULATE, KEEP, OUT(8))
SYS(23, select, EMULATE, YIELD, INT, FDSET(0), FDSET(0), FDSET(0), ALWAYS(16))
SYS(24, sched_yield, EMULATE, YIELD)
SYS(25, mremap, REDO, KEEP, ADDR, UINT, UINT, HEX, ADDR)
SYS(26, msync, EMULATE, YIELD, ADDR, UINT, HEX)
SYS(27, mincore, EMULATE, KEEP, ADDR, UINT, OUTPAGES(1))
SYS(28, madvise, REDO, KEEP, ADDR, UINT, MADVICE)
SYS(29, shmget, EMULATE, KEEP, INT, UINT, HEX)
SYS(30, shmat, REDO, KEEP, INT, ADDR, HEX)
SYS(31, shmctl, CODE, KEEP, INT, HEX, ADDR)
SYS(32, dup, EMULATE, KEEP, FD)
SYS(33, dup2, EMULATE, YIELD, FD, FD)
SYS(34, pause, EMULATE, YIELD)
SYS(35, nanosleep, EMULATE, YIELD, IN(16), ALWAYS(16))
SYS(36, getitimer, EMULATE, KEEP, INT, OUT(32))
SYS(37, alarm, EMULATE, KEEP, UINT)
SYS(38, setitimer, EMULATE, KEEP, INT, IN(32), OUT(32))
SYS(39, getpid, EMULATE, KEEP)
SYS(40, sendfile, EMULATE, YIELD, FD, FD, ALWAYS(8), UINT)
SYS(41, socket, EMULATE, YIELD, DOMAIN, SOCKTYPE, INT)
SYS(42, connect, EMULATE, YIELD, FD, INBUF(2), UINT)
SYS(43, accept, EMULATE, YIELD, FD, SOCKADDR(2), ALWAYS(4))
SYS(44, sendto, EMULATE, YIELD, FD, INBUF(2), UINT, HEX, INBUF(5), UINT)
SYS(45, recvfrom, CODE, YIELD, FD, OUTRET(2), UINT, HEX, SOCKADDR(5), ALWAYS(4))
SYS(46, sendmsg, CODE, YIELD, FD, MSG, HEX)
SYS(47, recvmsg, CODE, YIELD, FD, ADDR, HEX)
SYS(48, shutdown, EMULATE, YIELD, FD, INT)
SYS(49, bind, EMULATE, YIELD, FD, INBUF(2), UINT)
SYS(50, listen, EMULATE, YIELD, FD, INT)
SYS(51, getsockname, EMULATE, KEEP, FD, SOCKADDR(2), ALWAYS(4))
SYS(52, getpeername, EMULATE, KEEP, FD, SOCKADDR(2), ALWAYS(4))
SYS(53, socketpair, EMULATE, KEEP, DOMAIN, SOCKTYPE, INT, ALWAYS(8))
SYS(54, setsockopt, CODE, YIELD, FD, INT, INT, INBUF(4), UINT)
SYS(55, getsockopt, CODE, KEEP, FD, INT, INT, SOCKADDR(4), ALWAYS(4))
SYS(56, clone, REDO, YIELD, CLONEFLAGS, ADDR, ADDR, ADDR, ADDR)
SYS(57, fork, REDO, YIELD)
SYS(58, vfork, REDO, YIELD)
SYS(59, execve, CODE, YIELD, STR, ADDR, ADDR)
SYS(60, exit, REDO, KEEP, INT)
SYS(61, wait4, CODE, YIELD, INT, OUT(4), HEX, OUT(144))
SYS(62, kill, EMULATE, KEEP, INT, SIG)
SYS(63, uname, EMULATE, KEEP, OUT(390))
SYS(64, semget, EMULATE, KEEP, INT, INT, HEX)
SYS(65, semop, EMULATE, YIELD, INT, ADDR, UINT)
SYS(66, semctl, CODE, KEEP, INT, INT, HEX, ADDR)
SYS(67, shmdt, REDO, KEEP, ADDR)
SYS(68, msgget, EMULATE, KEEP, INT, HEX)
SYS(69, msgsnd, EMULATE, YIELD, INT, ADDR, UINT, HEX)
SYS(70, msgrcv, CODE, YIELD, INT, ADDR, UINT, INT, HEX)
SYS(71, msgctl, CODE, KEEP, INT, HEX, ADDR)
SYS(72, fcntl, CODE, YIELD, FD, FCNTL, HEX)
SYS(73, flock, EMULATE, YIELD, FD, HEX)
SYS(74, fsync, EMULATE, YIELD, FD)
SYS(75, fdatasync, EMULATE, YIELD, FD)
SYS(76, truncate, EMULATE, YIELD, STR, INT)
SYS(77, ftruncate, EMULATE, YIELD, FD, INT)
SYS(78, getdents, EMULATE, YIELD, FD, OUTRET(2), UINT)
SYS(79, getcwd, EMULATE, YIELD, OUTRET(1), UINT)
SYS(80, chdir, EMULATE, YIELD, STR)
SYS(81, fchdir, EMULATE, YIELD, FD)
SYS(82, rename, EMULATE, YIELD, STR, STR)
SYS(83, mkdir, EMULATE, YIELD, STR, MODE)
SYS(84, rmdir, EMULATE, YIELD, STR)
SYS(85, creat, EMULATE, YIELD, STR, MODE)
SYS(86, link, EMULATE, YIELD, STR, STR)
SYS(87, unlink, EMULATE, YIELD, STR)
SYS(88, symlink, EMULATE, YIELD, STR, STR)
SYS(89, readlink, EMULATE, YIELD, STR, OUTRET(2), UINT)
SYS(90, chmod, EMULATE, YIELD, STR, MODE)
SYS(91, fchmod, EMULATE, YIELD, FD, MODE)
SYS(92, chown, EMULATE, YIELD, STR, INT, INT)
SYS(93, fchown, EMULATE, YIELD, FD, INT, INT)
SYS(94, lchown, EMULATE, YIELD, STR, INT, INT)
SYS(95, umask, EMULATE, KEEP, MODE)
SYS(96, gettimeofday, EMULATE, KEEP, OUT(16), OUT(8))
SYS(97, getrlimit, EMULATE, KEEP, INT, OUT(16))
SYS(98, getrusage, EMULATE, KEEP, INT, OUT(144))
SYS(99, sysinfo, EMULATE, KEEP, OUT(112))
SYS(100, times, EMULATE, KEEP, OUT(32))
SYS(101, ptrace, REFUSE, KEEP, HEX, INT, ADDR, ADDR)
SYS(102, getuid, EMULATE, KEEP)
SYS(103, syslog, EMULATE, YIELD, INT, OUTRET(2), INT)
SYS(104, getgid, EMULATE, KEEP)
SYS(105, setuid, EMULATE, KEEP, INT)
SYS(106, setgid, EMULATE, KEEP, INT)
SYS(107, geteuid, EMULATE, KEEP)
SYS(108, getegid, EMULATE, KEEP)
SYS(109, setpgid, EMULATE, KEEP, INT, INT)
SYS(110, getppid, EMULATE, KEEP)
SYS(111, getpgrp, EMULATE, KEEP)
SYS(112, setsid, EMULATE, KEEP)
SYS(113, setreuid, EMULATE, KEEP, INT, INT)
SYS(114, setregid, EMULATE, KEEP, INT, INT)
SYS(115, getgroups, EMULATE, KEEP, INT, OUTMUL(0, 4))
SYS(116, setgroups, EMULATE, KEEP, INT, ADDR)
SYS(117, setresuid, EMULATE, KEEP, INT, INT, INT)
SYS(118, getresuid, EMULATE, KEEP, OUT(4), OUT(4), OUT(4))
SYS(119, setresgid, EMULATE, KEEP, INT, INT, INT)
SYS(120, getresgid, EMULATE, KEEP, OUT(4), OUT(4), OUT(4))
SYS(121, getpgid, EMULATE, KEEP, INT)
SYS(122, setfsuid, EMULATE, KEEP, INT)
SYS(123, setfsgid, EMULATE, KEEP, INT)
SYS(124, getsid, EMULATE, KEEP, INT)
SYS(125, capget, CODE, KEEP, ADDR, ADDR)
SYS(126, capset, EMULATE, KEEP, ADDR, ADDR)
SYS(127, rt_sigpending, CODE, KEEP, ADDR, UINT)
SYS(128, rt_sigtimedwait, CODE, YIELD, SIGSET(3), OUT(128), IN(16), UINT)
SYS(129, rt_sigqueueinfo, EMULATE, KEEP, INT, SIG, IN(128))
SYS(130, rt_sigsuspend, CODE, YIELD, SIGSET(1), UINT)
SYS(131, sigaltstack, AGENT, KEEP, ADDR, ADDR)
SYS(132, utime, EMULATE, YIELD, STR, IN(16))
SYS(133, mknod, EMULATE, YIELD, STR, MODE, HEX)
SYS(134, uselib, NONE, KEEP)
SYS(135, personality, EMULATE, KEEP, HEX)
SYS(136, ustat, EMULATE, YIELD, HEX, OUT(32))
SYS(137, statfs, EMULATE, YIELD, STR, OUT(120))
SYS(138, fstatfs, EMULATE, YIELD, FD, OUT(120))
SYS(139, sysfs, REFUSE, KEEP, INT, ADDR, ADDR)
SYS(140, getpriority, EMULATE, KEEP, INT, INT)
SYS(141, setpriority, EMULATE, KEEP, INT, INT, INT)
SYS(142, sched_setparam, EMULATE, KEEP, INT, IN(4))
SYS(143, sched_getparam, EMULATE, KEEP, INT, OUT(4))
SYS(144, sched_setscheduler, EMULATE, KEEP, INT, INT, IN(4))
SYS(145, sched_getscheduler, EMULATE, KEEP, INT)
SYS(146, sched_get_priority_max, EMULATE, KEEP, INT)
SYS(147, sched_get_priority_min, EMULATE, KEEP, INT)
SYS(148, sched_rr_get_interval, EMULATE, KEEP, INT, OUT(16))
SYS(149, mlock, EMULATE, YIELD, ADDR, UINT)
SYS(150, munlock, EMULATE, KEEP, ADDR, UINT)
SYS(151, mlockall, EMULATE, YIELD, HEX)
SYS(152, munlockall, EMULATE, KEEP)
SYS(153, vhangup, EMULATE, YIELD)
SYS(154, modify_ldt, REFUSE, KEEP, INT, ADDR, UINT)
SYS(155, pivot_root, EMULATE, YIELD, STR, STR)
SYS(156, _sysctl, NONE, KEEP)
SYS(157, prctl, CODE, KEEP, PRCTL, HEX, HEX, HEX, HEX)
SYS(158, arch_prctl, AGENT, KEEP, HEX, ADDR)
SYS(159, adjtimex, EMULATE, KEEP, ALWAYS(208))
SYS(160, setrlimit, CODE, KEEP, INT, IN(16))
SYS(161, chroot, EMULATE, YIELD, STR)
SYS(162, sync, EMULATE, YIELD)
SYS(163, acct, EMULATE, YIELD, STR)
SYS(164, settimeofday, EMULATE, KEEP, IN(16), IN(8))
SYS(165, mount, EMULATE, YIELD, STR, STR, STR, HEX, ADDR)
SYS(166, umount2, EMULATE, YIELD, STR, HEX)
SYS(167, swapon, EMULATE, YIELD, STR, HEX)
SYS(168, swapoff, EMULATE, YIELD, STR)
SYS(169, reboot, EMULATE, YIELD, HEX, HEX, HEX, ADDR)
SYS(170, sethostname, EMULATE, KEEP, INBUF(1), UINT)
SYS(171, setdomainname, EMULATE, KEEP, INBUF(1), UINT)
SYS(172, iopl, REFUSE, KEEP, INT)
SYS(173, ioperm, REFUSE, KEEP, HEX, HEX, INT)
SYS(174, create_module, NONE, KEEP)
SYS(175, init_module, EMULATE, YIELD, INBUF(1), UINT, STR)
SYS(176, delete_module, EMULATE, YIELD, STR, HEX)
SYS(177, get_kernel_syms, NONE, KEEP)
SYS(178, query_module, NONE, KEEP)
SYS(179, quotactl, CODE, YIELD, HEX, STR, INT, ADDR)
SYS(180, nfsservctl, NONE, KEEP)
SYS(181, getpmsg, NONE, KEEP)
SYS(182, putpmsg, NONE, KEEP)
SYS(183, afs_syscall, NONE, KEEP)
SYS(184, tuxcall, NONE, KEEP)
SYS(185, security, NONE, KEEP)
SYS(186, gettid, EMULATE, KEEP)
SYS(187, readahead, EMULATE, YIELD, FD, INT, UINT)
SYS(188, setxattr, EMULATE, YIELD, STR, STR, INBUF(3), UINT, HEX)
SYS(189, lsetxattr, EMULATE, YIELD, STR, STR, INBUF(3), UINT, HEX)
SYS(190, fsetxattr, EMULATE, YIELD, FD, STR, INBUF(3), UINT, HEX)
SYS(191, getxattr, EMULATE, YIELD, STR, STR, OUTRET(3), UINT)
SYS(192, lgetxattr, EMULATE, YIELD, STR, STR, OUTRET(3), UINT)
SYS(193, fgetxattr, EMULATE, YIELD, FD, STR, OUTRET(3), UINT)
SYS(194, listxattr, EMULATE, YIELD, STR, OUTRET(2), UINT)
SYS(195, llistxattr, EMULATE, YIELD, STR, OUTRET(2), UINT)
SYS(196, flistxattr, EMULATE, YIELD, FD, OUTRET(2), UINT)
SYS(197, removexattr, EMULATE, YIELD, STR, STR)
SYS(198, lremovexattr, EMULATE, YIELD, STR, STR)
SYS(199, fremovexattr, EMULATE, YIELD, FD, STR)
SYS(200, tkill, EMULATE, KEEP, INT, SIG)
SYS(201, time, EMULATE, KEEP, OUT(8))
SYS(202, futex, CODE, YIELD, ADDR, FUTEXOP, HEX, ADDR, ADDR, HEX)
SYS(203, sched_setaffinity, EMULATE, KEEP, INT, UINT, INBUF(1))
SYS(204, sched_getaffinity, EMULATE, KEEP, INT, UINT, OUTRET(1))
SYS(205, set_thread_area, NONE, KEEP)
SYS(206, io_setup, REFUSE, KEEP, UINT, ADDR)
SYS(207, io_destroy, REFUSE, KEEP, ADDR)
SYS(208, io_getevents, REFUSE, KEEP, ADDR, INT, INT, ADDR, ADDR)
SYS(209, io_submit, REFUSE, KEEP, ADDR, INT, ADDR)
SYS(210, io_cancel, REFUSE, KEEP, ADDR, ADDR, ADDR)
SYS(211, get_thread_area, NONE, KEEP)
SYS(212, lookup_dcookie, NONE, KEEP)
SYS(213, epoll_create, EMULATE, KEEP, INT)
SYS(214, epoll_ctl_old, NONE, KEEP)
SYS(215, epoll_wait_old, NONE, KEEP)
SYS(216, remap_file_pages, REFUSE, KEEP, ADDR, UINT, PROT, UINT, HEX)
SYS(217, getdents64, EMULATE, YIELD, FD, OUTRET(2), UINT)
SYS(218, set_tid_address, AGENT, KEEP, ADDR)
SYS(219, restart_syscall, AGENT, KEEP)
SYS(220, semtimedop, EMULATE, YIELD, INT, ADDR, UINT, IN(16))
SYS(221, fadvise64, EMULATE, YIELD, FD, INT, UINT, INT)
SYS(222, timer_create, EMULATE, KEEP, CLOCK, IN(64), ALWAYS(4))
SYS(223, timer_settime, EMULATE, KEEP, INT, HEX, IN(32), OUT(32))
SYS(224, timer_gettime, EMULATE, KEEP, INT, OUT(32))
SYS(225, timer_getoverrun, EMULATE, KEEP, INT)
SYS(226, timer_delete, EMULATE, KEEP, INT)
SYS(227, clock_settime, EMULATE, KEEP, CLOCK, IN(16))
SYS(228, clock_gettime, EMULATE, KEEP, CLOCK, OUT(16))
SYS(229, clock_getres, EMULATE, KEEP, CLOCK, OUT(16))
SYS(230, clock_nanosleep, EMULATE, YIELD, CLOCK, HEX, IN(16), ALWAYS(16))
SYS(231, exit_group, REDO, KEEP, INT)
SYS(232, epoll_wait, EMULATE, YIELD, FD, OUTMUL(2, 12), INT, INT)
SYS(233, epoll_ctl, EMULATE, KEEP, FD, EPOLLOP, FD, IN(12))
SYS(234, tgkill, EMULATE, KEEP, INT, INT, SIG)
SYS(235, utimes, EMULATE, YIELD, STR, IN(32))
SYS(236, vserver, NONE, KEEP)
/* since Linux 2.6.7 */
SYS(237, mbind, EMULATE, YIELD, ADDR, UINT, HEX, ADDR, UINT, HEX)
SYS(238, set_mempolicy, EMULATE, KEEP, HEX, ADDR, UINT)
SYS(239, get_mempolicy, CODE, KEEP, ADDR, ADDR, UINT, ADDR, HEX)
/* since Linux 2.6.6 */
SYS(240, mq_open, EMULATE, YIELD, STR, OFLAGS, MODE, IN(64))
SYS(241, mq_unlink, EMULATE, YIELD, STR)
SYS(242, mq_timedsend, EMULATE, YIELD, FD, INBUF(2), UINT, UINT, IN(16))
SYS(243, mq_timedreceive, EMULATE, YIELD, FD, OUTRET(2), UINT, OUT(4), IN(16))
SYS(244, mq_notify, EMULATE, KEEP, FD, IN(64))
SYS(245, mq_getsetattr, EMULATE, KEEP, FD, IN(64), OUT(64))
/* since Linux 2.6.13 */
SYS(246, kexec_load, EMULATE, YIELD, HEX, UINT, ADDR, HEX)
/* since Linux 2.6.10 */
SYS(247, waitid, CODE, YIELD, INT, INT, ALWAYS(128), HEX, OUT(144))
SYS(248, add_key, EMULATE, YIELD, STR, STR, INBUF(3), UINT, INT)
SYS(249, request_key, EMULATE, YIELD, STR, STR, STR, INT)
SYS(250, keyctl, CODE, YIELD, INT, HEX, HEX, HEX, HEX)
/* since Linux 2.6.13 */
SYS(251, ioprio_set, EMULATE, KEEP, INT, INT, INT)
SYS(252, ioprio_get, EMULATE, KEEP, INT, INT)
SYS(253, inotify_init, EMULATE, KEEP)
SYS(254, inotify_add_watch, EMULATE, YIELD, FD, STR, HEX)
SYS(255, inotify_rm_watch, EMULATE, YIELD, FD, INT)
/* since Linux 2.6.16 */
SYS(256, migrate_pages, EMULATE, YIELD, INT, UINT, ADDR, ADDR)
SYS(257, openat, CODE, YIELD, ATFD, STR, OFLAGS, MODE)
SYS(258, mkdirat, EMULATE, YIELD, ATFD, STR, MODE)
SYS(259, mknodat, EMULATE, YIELD, ATFD, STR, MODE, HEX)
SYS(260, fchownat, EMULATE, YIELD, ATFD, STR, INT, INT, HEX)
SYS(261, futimesat, EMULATE, YIELD, ATFD, STR, IN(32))
SYS(262, newfstatat, EMULATE, YIELD, ATFD, STR, OUT(144), HEX)
SYS(263, unlinkat, EMULATE, YIELD, ATFD, STR, HEX)
SYS(264, renameat, EMULATE, YIELD, ATFD, STR, ATFD, STR)
SYS(265, linkat, EMULATE, YIELD, ATFD, STR, ATFD, STR, HEX)
SYS(266, symlinkat, EMULATE, YIELD, STR, ATFD, STR)
SYS(267, readlinkat, EMULATE, YIELD, ATFD, STR, OUTRET(3), UINT)
SYS(268, fchmodat, EMULATE, YIELD, ATFD, STR, MODE)
SYS(269, faccessat, EMULATE, YIELD, ATFD, STR, MODE)
SYS(270, pselect6, CODE, YIELD, INT, FDSET(0), FDSET(0), FDSET(0), ALWAYS(16), ADDR)
SYS(271, ppoll, CODE, YIELD, OUTARG(1, 8), UINT, ALWAYS(16), SIGSET(4), UINT)
SYS(272, unshare, EMULATE, YIELD, CLONEFLAGS)
/* since Linux 2.6.17 */
SYS(273, set_robust_list, CODE, KEEP, ADDR, UINT)
SYS(274, get_robust_list, CODE, KEEP, INT, ADDR, ADDR)
SYS(275, splice, EMULATE, YIELD, FD, ALWAYS(8), FD, ALWAYS(8), UINT, HEX)
SYS(276, tee, EMULATE, YIELD, FD, FD, UINT, HEX)
SYS(277, sync_file_range, EMULATE, YIELD, FD, INT, INT, HEX)
SYS(278, vmsplice, CODE, YIELD, FD, IOVOUT(2), UINT, HEX)
/* since Linux 2.6.18 */
SYS(279, move_pages, EMULATE, YIELD, INT, UINT, ADDR, ADDR, OUTARG(1, 4), HEX)
/* since Linux 2.6.22 */
SYS(280, utimensat, EMULATE, YIELD, ATFD, STR, IN(32), HEX)
/* since Linux 2.6.19 */
SYS(281, epoll_pwait, CODE, YIELD, FD, OUTMUL(2, 12), INT, INT, SIGSET(5), UINT)
/* since Linux 2.6.22 */
SYS(282, signalfd, CODE, KEEP, FD, SIGSET(2), UINT)
/* since Linux 2.6.25 */
SYS(283, timerfd_create, EMULATE, KEEP, CLOCK, HEX)
/* since Linux 2.6.22 */
SYS(284, eventfd, EMULATE, KEEP, UINT)
/* since Linux 2.6.23 */
SYS(285, fallocate, EMULATE, YIELD, FD, HEX, INT, INT)
/* since Linux 2.6.25 */
SYS(286, timerfd_settime, EMULATE, KEEP, FD, HEX, IN(32), OUT(32))
SYS(287, timerfd_gettime, EMULATE, KEEP, FD, OUT(32))
/* since Linux 2.6.28 */
SYS(288, accept4, EMULATE, YIELD, FD, SOCKADDR(2), ALWAYS(4), HEX)
/* since Linux 2.6.27 */
SYS(289, signalfd4, CODE, KEEP, FD, SIGSET(2), UINT, HEX)
SYS(290, eventfd2, EMULATE, KEEP, UINT, HEX)
SYS(291, epoll_create1, EMULATE, KEEP, HEX)
SYS(292, dup3, EMULATE, YIELD, FD, FD, OFLAGS)
SYS(293, pipe2, EMULATE, KEEP, OUT(8), OFLAGS)
SYS(294, inotify_init1, EMULATE, KEEP, HEX)
/* since Linux 2.6.30 */
SYS(295, preadv, EMULATE, YIELD, FD, IOVOUT(2), UINT, INT, INT)
SYS(296, pwritev, EMULATE, YIELD, FD, IOVIN(2), UINT, INT, INT)
/* since Linux 2.6.31 */
SYS(297, rt_tgsigqueueinfo, EMULATE, KEEP, INT, INT, SIG, IN(128))
SYS(298, perf_event_open, REFUSE, KEEP, ADDR, INT, INT, FD, HEX)
/* since Linux 2.6.33 */
SYS(299, recvmmsg, CODE, YIELD, FD, ADDR, UINT, HEX, ADDR)
/* since Linux 2.6.37 */
SYS(300, fanotify_init, EMULATE, KEEP, HEX, HEX)
SYS(301, fanotify_mark, EMULATE, YIELD, FD, HEX, HEX, ATFD, STR)
/* since Linux 2.6.36 */
SYS(302, prlimit64, CODE, KEEP, INT, INT, IN(16), OUT(16))
/* since Linux 2.6.39 */
SYS(303, name_to_handle_at, CODE, YIELD, ATFD, STR, ADDR, ADDR, HEX)
SYS(304, open_by_handle_at, EMULATE, YIELD, FD, ADDR, OFLAGS)
SYS(305, clock_adjtime, EMULATE, KEEP, CLOCK, ALWAYS(208))
SYS(306, syncfs, EMULATE, YIELD, FD)
/* since Linux 3.0 */
SYS(307, sendmmsg, CODE, YIELD, FD, ADDR, UINT, HEX)
SYS(308, setns, EMULATE, YIELD, FD, HEX)
/* since Linux 3.1 */
SYS(309, getcpu, EMULATE, KEEP, OUT(4), OUT(4), ADDR)
/* since Linux 3.2 */
SYS(310, process_vm_readv, EMULATE, YIELD, INT, IOVOUT(2), UINT, ADDR, UINT, HEX)
SYS(311, process_vm_writev, REDO, YIELD, INT, IOVIN(2), UINT, ADDR, UINT, HEX)
/* since Linux 3.5 */
SYS(312, kcmp, EMULATE, KEEP, INT, INT, INT, HEX, HEX)
/* since Linux 3.8 */
SYS(313, finit_module, EMULATE, YIELD, FD, STR, HEX)
/* since Linux 3.14 */
SYS(314, sched_setattr, EMULATE, KEEP, INT, ALWAYS(4), HEX)
SYS(315, sched_getattr, EMULATE, KEEP, INT, OUTARG(2, 1), UINT, HEX)
/* since Linux 3.15 */
SYS(316, renameat2, EMULATE, YIELD, ATFD, STR, ATFD, STR, HEX)
/* since Linux 3.17 */
SYS(317, seccomp, CODE, KEEP, HEX, HEX, ADDR)
SYS(318, getrandom, EMULATE, KEEP, OUTRET(1), UINT, HEX)
SYS(319, memfd_create, EMULATE, KEEP, STR, HEX)
SYS(320, kexec_file_load, EMULATE, YIELD, FD, FD, UINT, STR, HEX)
/* since Linux 3.18 */
SYS(321, bpf, REFUSE, YIELD, HEX, ADDR, UINT)
/* since Linux 3.19 */
SYS(322, execveat, CODE, YIELD, ATFD, STR, ADDR, ADDR, HEX)
/* since Linux 4.3 */
SYS(323, userfaultfd, REFUSE, KEEP, HEX)
SYS(324, membarrier, EMULATE, KEEP, HEX, HEX, INT)
/* since Linux 4.4 */
SYS(325, mlock2, EMULATE, YIELD, ADDR, UINT, HEX)
/* since Linux 4.5 */
SYS(326, copy_file_range, EMULATE, YIELD, FD, ALWAYS(8), FD, ALWAYS(8), UINT, HEX)
/* since Linux 4.6 */
SYS(327, preadv2, EMULATE, YIELD, FD, IOVOUT(2), UINT, INT, INT, HEX)
SYS(328, pwritev2, EMULATE, YIELD, FD, IOVIN(2), UINT, INT, INT, HEX)
/* since Linux 4.9 */
SYS(329, pkey_mprotect, REDO, KEEP, ADDR, UINT, PROT, INT)
SYS(330, pkey_alloc, REFUSE, KEEP, HEX, HEX)
SYS(331, pkey_free, REFUSE, KEEP, INT)
/* since Linux 4.11 */
SYS(332, statx, EMULATE, YIELD, ATFD, STR, HEX, HEX, OUT(256))
/* since Linux 4.18 */
SYS(333, io_pgetevents, REFUSE, KEEP, ADDR, INT, INT, ADDR, ADDR, ADDR)
SYS(334, rseq, AGENT, KEEP, ADDR, UINT, HEX, HEX)
/* since Linux 6.11 */
SYS(335, uretprobe, NONE, KEEP)
/* since Linux 6.18 */
SYS(336, uprobe, NONE, KEEP)
/* since Linux 5.1 */
SYS(424, pidfd_send_signal, EMULATE, KEEP, FD, SIG, IN(128), HEX)
SYS(425, io_uring_setup, REFUSE, KEEP, UINT, ADDR)
SYS(426, io_uring_enter, REFUSE, KEEP, FD, UINT, UINT, HEX, ADDR, UINT)
SYS(427, io_uring_register, REFUSE, KEEP, FD, HEX, ADDR, UINT)
/* since Linux 5.2 */
SYS(428, open_tree, EMULATE, YIELD, ATFD, STR, HEX)
SYS(429, move_mount, EMULATE, YIELD, ATFD, STR, ATFD, STR, HEX)
SYS(430, fsopen, EMULATE, YIELD, STR, HEX)
SYS(431, fsconfig, EMULATE, YIELD, FD, HEX, STR, ADDR, INT)
SYS(432, fsmount, EMULATE, YIELD, FD, HEX, HEX)
SYS(433, fspick, EMULATE, YIELD, ATFD, STR, HEX)
/* since Linux 5.3 */
SYS(434, pidfd_open, EMULATE, KEEP, INT, HEX)
SYS(435, clone3, REDO, YIELD, ADDR, UINT)
/* since Linux 5.9 */
SYS(436, close_range, EMULATE, YIELD, UINT, UINT, HEX)
/* since Linux 5.6 */
SYS(437, openat2, CODE, YIELD, ATFD, STR, INBUF(3), UINT)
SYS(438, pidfd_getfd, EMULATE, KEEP, FD, FD, HEX)
/* since Linux 5.8 */
SYS(439, faccessat2, EMULATE, YIELD, ATFD, STR, MODE, HEX)
/* since Linux 5.10 */
SYS(440, process_madvise, CODE, YIELD, FD, ADDR, UINT, MADVICE, HEX)
/* since Linux 5.11 */
SYS(441, epoll_pwait2, CODE, YIELD, FD, OUTMUL(2, 12), INT, IN(16), SIGSET(5), UINT)
/* since Linux 5.12 */
SYS(442, mount_setattr, EMULATE, YIELD, ATFD, STR, HEX, INBUF(4), UINT)
/* since Linux 5.14 */
SYS(443, quotactl_fd, CODE, YIELD, FD, HEX, INT, ADDR)
/* since Linux 5.13 */
SYS(444, landlock_create_ruleset, EMULATE, KEEP, INBUF(1), UINT, HEX)
SYS(445, landlock_add_rule, EMULATE, KEEP, FD, HEX, ADDR, HEX)
SYS(446, landlock_restrict_self, EMULATE, KEEP, FD, HEX)
/* since Linux 5.14 */
SYS(447, memfd_secret, REFUSE, KEEP, HEX)
/* since Linux 5.15 */
SYS(448, process_mrelease, EMULATE, YIELD, FD, HEX)
/* since Linux 5.16 */
SYS(449, futex_waitv, EMULATE, YIELD, ADDR, UINT, HEX, IN(16), CLOCK)
/* since Linux 5.17 */
SYS(450, set_mempolicy_home_node, EMULATE, KEEP, ADDR, UINT, UINT, HEX)
/* since Linux 6.5 */
SYS(451, cachestat, EMULATE, YIELD, FD, IN(16), OUT(40), HEX)
/* since Linux 6.6 */
SYS(452, fchmodat2, EMULATE, YIELD, ATFD, STR, MODE, HEX)
SYS(453, map_shadow_stack, REFUSE, KEEP, ADDR, UINT, HEX)
/* since Linux 6.7 */
SYS(454, futex_wake, EMULATE, KEEP, ADDR, HEX, INT, HEX)
SYS(455, futex_wait, EMULATE, YIELD, ADDR, HEX, HEX, HEX, IN(16), CLOCK)
SYS(456, futex_requeue, EMULATE, KEEP, ADDR, HEX, INT, INT)
/* since Linux 6.8 */
SYS(457, statmount, EMULATE, YIELD, ADDR, OUTARG(2, 1), UINT, HEX)
SYS(458, listmount, EMULATE, YIELD, ADDR, OUTMUL(2, 8), UINT, HEX)
SYS(459, lsm_get_self_attr, EMULATE, KEEP, HEX, SOCKADDR(2), ALWAYS(4), HEX)
SYS(460, lsm_set_self_attr, EMULATE, KEEP, HEX, INBUF(2), UINT, HEX)
SYS(461, lsm_list_modules, EMULATE, KEEP, SOCKADDR(1), ALWAYS(4), HEX)
/* since Linux 6.10 */
SYS(462, mseal, CODE, KEEP, ADDR, UINT, HEX)
/* since Linux 6.13 */
SYS(463, setxattrat, EMULATE, YIELD, ATFD, STR, HEX, STR, ADDR, UINT)
SYS(464, getxattrat, CODE, YIELD, ATFD, STR, HEX, STR, ADDR, UINT)
SYS(465, listxattrat, EMULATE, YIELD, ATFD, STR, HEX, OUTRET(4), UINT)
SYS(466, removexattrat, EMULATE, YIELD, ATFD, STR, HEX, STR)
/* since Linux 6.15 */
SYS(467, open_tree_attr, EMULATE, YIELD, ATFD, STR, HEX, INBUF(4), UINT)
/* since Linux 6.17 */
SYS(468, file_getattr, EMULATE, YIELD, ATFD, STR, OUTARG(3, 1), UINT, HEX)
SYS(469, file_setattr, EMULATE, YIELD, ATFD, STR, INBUF(3), UINT, HEX)
/* since Linux 6.19 */
SYS(470, listns, EMULATE, YIELD, ADDR, OUTMUL(2, 8), UINT, HEX)
