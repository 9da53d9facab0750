import type { NamespaceKind } from "../addon/flags.generated.ts";
import type { AnyTask } from "../target/target.ts";
import { effectiveOf, hasCapability } from "./look.ts";
import { CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_SYS_CHROOT } from "./say.ts";

const names = {
	[CAP_NET_ADMIN]: "CAP_NET_ADMIN",
	[CAP_SYS_ADMIN]: "CAP_SYS_ADMIN",
	[CAP_SYS_CHROOT]: "CAP_SYS_CHROOT",
} as const;

type Capability = keyof typeof names;

/** What calls other than unshare(2) and setns(2) need: the namespace that they change, and the capability. */
const needed: Readonly<Record<string, readonly [kinds: readonly NamespaceKind[], capability: Capability]>> = {
	chroot: [[], CAP_SYS_CHROOT],
	sethostname: [["uts"], CAP_SYS_ADMIN],
	setdomainname: [["uts"], CAP_SYS_ADMIN],
	fsconfig: [["mnt"], CAP_SYS_ADMIN],
	fsmount: [["mnt"], CAP_SYS_ADMIN],
	fsopen: [["mnt"], CAP_SYS_ADMIN],
	mount: [["mnt"], CAP_SYS_ADMIN],
	mount_setattr: [["mnt"], CAP_SYS_ADMIN],
	move_mount: [["mnt"], CAP_SYS_ADMIN],
	open_tree: [["mnt"], CAP_SYS_ADMIN],
	pivot_root: [["mnt"], CAP_SYS_ADMIN],
	umount2: [["mnt"], CAP_SYS_ADMIN],
};

/** Returns the hint of {@link hintForThread} for a call that makes and enters no namespaces. */
export function hintForCallOfThread(task: AnyTask, syscall: string): string | undefined {
	const [kinds, capability] = needed[syscall] ?? [[], CAP_SYS_ADMIN];
	return hintForThread(task, kinds, [capability]);
}

/** Returns the hint of {@link hintForThread} for a call on a network device. */
export function hintForNetworkOfThread(task: AnyTask): string | undefined {
	return hintForThread(task, ["net"], [CAP_NET_ADMIN]);
}

/**
 * Returns what to use in place of a thread of this process, which the kernel has refused a call with EPERM. `undefined`: the thread has
 * the privilege, and something else is in the way.
 *
 * @param task - The thread. For a thread that could not begin, this process, which has the same privilege.
 * @param kinds - The namespaces that the call was to make, to enter or to change.
 * @param capabilities - What the call needs. Default: what making or entering these namespaces needs.
 */
export function hintForThread(
	task: AnyTask,
	kinds: readonly NamespaceKind[],
	capabilities: readonly Capability[] = kinds.includes("mnt") ? [CAP_SYS_ADMIN, CAP_SYS_CHROOT] : [CAP_SYS_ADMIN],
): string | undefined {
	const found = effectiveOf(task);
	if (!found) return undefined;
	const { effective, effectiveText } = found;
	const missing = capabilities.filter((each) => !hasCapability(effective, each)).map((each) => names[each]);
	if (missing.length === 0) return undefined;
	const sockets =
		kinds.length === 0 || kinds.includes("net") ? "; task.get(socket) brings a socket of the task into Node" : "";
	const own = kinds[0] === undefined ? "" : `, "${kinds.join('", "')}"`;
	return `a thread has the privilege of Node, which lacks ${missing.join(" and ")} (CapEff: ${effectiveText}): use a task, Task.clone({ namespaces: ["user"${own}] }), or one that joins the user namespace first${sockets}`;
}
