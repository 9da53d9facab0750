import { capabilities, type NamespaceKind } from "../addon/flags.generated.ts";
import { hasCapability } from "../process/capability-bits.ts";
import type { AnyTask } from "../target/target.ts";
import { effectiveOf } from "./look.ts";

const names = {
	[capabilities.netAdmin]: "CAP_NET_ADMIN",
	[capabilities.sysAdmin]: "CAP_SYS_ADMIN",
	[capabilities.sysChroot]: "CAP_SYS_CHROOT",
} as const;

type Capability = keyof typeof names;

/** What calls other than unshare(2) and setns(2) need: the namespace that they change, and the capability. */
const needed: Readonly<Record<string, readonly [kinds: readonly NamespaceKind[], capability: Capability]>> = {
	chroot: [[], capabilities.sysChroot],
	sethostname: [["uts"], capabilities.sysAdmin],
	setdomainname: [["uts"], capabilities.sysAdmin],
	fsconfig: [["mnt"], capabilities.sysAdmin],
	fsmount: [["mnt"], capabilities.sysAdmin],
	fsopen: [["mnt"], capabilities.sysAdmin],
	mount: [["mnt"], capabilities.sysAdmin],
	mount_setattr: [["mnt"], capabilities.sysAdmin],
	move_mount: [["mnt"], capabilities.sysAdmin],
	open_tree: [["mnt"], capabilities.sysAdmin],
	pivot_root: [["mnt"], capabilities.sysAdmin],
	umount2: [["mnt"], capabilities.sysAdmin],
};

/** Returns the hint of {@link hintForThread} for a call that makes and enters no namespaces. */
export function hintForCallOfThread(task: AnyTask, syscall: string): string | undefined {
	const [kinds, capability] = needed[syscall] ?? [[], capabilities.sysAdmin];
	return hintForThread(task, kinds, [capability]);
}

/** Returns the hint of {@link hintForThread} for a call on a network device. */
export function hintForNetworkOfThread(task: AnyTask): string | undefined {
	return hintForThread(task, ["net"], [capabilities.netAdmin]);
}

/**
 * Returns what to use in place of a thread of this process, which the kernel has refused a call with EPERM. `undefined`: the thread has
 * the privilege, and something else is in the way.
 *
 * @param task - The thread. For a thread that could not begin, this process, which has the same privilege.
 * @param kinds - The namespaces that the call was to make, to enter or to change.
 * @param privileges - What the call needs. Default: what making or entering these namespaces needs.
 */
export function hintForThread(
	task: AnyTask,
	kinds: readonly NamespaceKind[],
	privileges: readonly Capability[] = kinds.includes("mnt")
		? [capabilities.sysAdmin, capabilities.sysChroot]
		: [capabilities.sysAdmin],
): string | undefined {
	const found = effectiveOf(task);
	if (!found) return undefined;
	const { effective, effectiveText } = found;
	const missing = privileges.filter((each) => !hasCapability(effective, each)).map((each) => names[each]);
	if (missing.length === 0) return undefined;
	const sockets =
		kinds.length === 0 || kinds.includes("net") ? "; task.get(socket) brings a socket of the task into Node" : "";
	const own = kinds[0] === undefined ? "" : `, "${kinds.join('", "')}"`;
	return `a thread has the privilege of Node, which lacks ${missing.join(" and ")} (CapEff: ${effectiveText}): use a task, Task.clone({ namespaces: ["user"${own}] }), or one that joins the user namespace first${sockets}`;
}
