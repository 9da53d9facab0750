import { type CallName, compileFilter, type SeccompAction, type SeccompRule } from "@nearfar/seccomp";

export const EPERM: SeccompAction = { errno: "EPERM" };
export const ENOSYS: SeccompAction = { errno: "ENOSYS" };

/** The kernel takes the low 32 bits of a socket family and of a request of ioctl(2). */
export const LOW = 0xffff_ffff;
/** `CLONE_NEW…`: all kinds of namespaces of clone(2) and unshare(2). */
const NAMESPACES = 0x7e02_0000;
const CLONE_NEWTIME = 0x80;
export const [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK] = [1, 2, 10, 16] as const;
const [TIOCSTI, TIOCLINUX] = [0x5412, 0x541c];

/** Calls that change what the sandbox is made of, or that reach what it does not isolate. */
const refused: readonly CallName[] = [
	...([
		"setns",
		"mount",
		"umount2",
		"pivot_root",
		"open_tree",
		"open_tree_attr",
		"move_mount",
		"mount_setattr",
	] as const),
	...([
		"fsopen",
		"fsconfig",
		"fsmount",
		"fspick",
		"open_by_handle_at",
		"quotactl",
		"quotactl_fd",
		"swapon",
		"swapoff",
	] as const),
	...(["keyctl", "add_key", "request_key", "bpf", "perf_event_open", "userfaultfd"] as const),
	...(["kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "reboot", "acct"] as const),
	...(["clock_settime", "settimeofday", "iopl", "ioperm", "syslog", "lookup_dcookie"] as const),
];

/** Rules for the calls that the default filter decides. Whatever is not named is allowed, and a number without a name answers ENOSYS. */
const changes: readonly SeccompRule[] = [
	// A filter cannot look into the struct of clone3(2). The C libraries then call clone(2).
	{ calls: ["clone3", "io_uring_setup", "io_uring_enter", "io_uring_register"], action: ENOSYS },
	{ calls: ["clone", "unshare"], args: [{ index: 0, op: "!=", value: 0, mask: NAMESPACES }], action: EPERM },
	{ calls: ["unshare"], args: [{ index: 0, op: "!=", value: 0, mask: CLONE_NEWTIME }], action: EPERM },
	...[TIOCSTI, TIOCLINUX].map(
		(request): SeccompRule => ({
			calls: ["ioctl"],
			args: [{ index: 1, op: "==", value: request, mask: LOW }],
			action: EPERM,
		}),
	),
	{ calls: refused, action: EPERM },
];

/** Rules that allow sockets of some families, and of no other. */
function onlyFamilies(families: readonly number[]): SeccompRule[] {
	const allowed = families.map(
		(family): SeccompRule => ({
			calls: ["socket", "socketpair"],
			args: [{ index: 0, op: "==", value: family, mask: LOW }],
			action: "allow",
		}),
	);
	return [...allowed, { calls: ["socket", "socketpair"], action: EPERM }];
}

let compiled: Uint8Array | undefined;

/** Returns the default filter, which is compiled once in a process. */
export function defaultFilter(): Uint8Array {
	compiled ??= compileDefault(onlyFamilies([AF_UNIX, AF_INET, AF_INET6, AF_NETLINK]));
	return compiled;
}

/** Compiles the rules of the default filter, with others for sockets. Of two rules for the same call the first one decides. */
export function compileDefault(sockets: readonly SeccompRule[]): Uint8Array {
	return compileFilter({ default: "allow", rules: [...sockets, ...changes], unknown: ENOSYS });
}
